"""`taimat ward card`: the card of one recorder that the ward has enrolled.

It becomes no part of `agent.ward`: a card is filled and judged as `taimat card` does it.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.ward import panels
from agent.store.database import StoreError

app = typer.Typer()
PACKAGES = ("taimat", "taimat-board")       # of a recorder; the ward's own may lie beside them

CardSerial = Annotated[str, typer.Option("--device", metavar="SERIAL", help="The recorder, as its label calls it.")]
Bundles = Annotated[Path, typer.Option("--bundles", metavar="DIR", help="Where taimat ward enrol has put its bundles.")]
BootFolder = Annotated[Path | None, typer.Option(
    "--boot", metavar="DIR", show_default=False, help="Where the first partition (bootfs) of the card is mounted.")]
CardImage = Annotated[Path | None, typer.Option(
    "--image", metavar="FILE", show_default=False,
    help="Instead: the image of a card, unpacked (.img). Nobody needs root for it.")]
CardPackages = Annotated[Path | None, typer.Option(
    "--packages", metavar="DIR", show_default=False, help="A folder whose packages are to be installed from the card.")]


@app.command("card", rich_help_panel=panels.DEVICES)
def card(device: CardSerial, bundles: Bundles = Path("bundles"), boot: BootFolder = None, image: CardImage = None,
         packages: CardPackages = None) -> None:
    """Make a freshly flashed card, or its image, that of one recorder: bundle, code, network. It is read back."""
    from agent.cli.card import ward_card
    from agent.cli.card.main import report
    if (boot is None) == (image is None):
        raise typer.BadParameter("give --boot, or --image, and not both")
    debs = [deb for name in PACKAGES for deb in sorted(packages.glob(f"{name}_*.deb"))] if packages else []
    made = (ward_card.on_card(bundles / device, boot, debs) if boot
            else ward_card.in_image(bundles / device, image, debs))
    try:
        with made as read_back:
            report(read_back, str(boot or image))
    except OSError as error:
        raise StoreError(f"{error.filename or boot or image}: {error.strerror or error}") from error
