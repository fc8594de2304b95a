"""`taimat ward enrol`, `card` and `handover`: devices are expected, get their cards, and go to other households.

And `taimat ward officer`: who may come to the ward's desk.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.store.database import StoreError
from agent.ward.cli.options import DEVICES, WARD_CONFIG, Config, Reload, absolute

app = typer.Typer()
officers = typer.Typer(no_args_is_help=True, help="Who may come to the ward's desk: officers and their certificates.")

Sheet = Annotated[Path | None, typer.Argument(
    metavar="[DEVICES.CSV]", show_default=False, callback=absolute,
    help="A row a device, the columns' names in its first line.")]
Folder = Annotated[Path, typer.Option(
    "--output", "-o", metavar="FOLDER", show_default=False, callback=absolute,
    help="Where bundles and labels go; for your eyes only.")]
Again = Annotated[list[str] | None, typer.Option(
    "--again", metavar="SERIAL", show_default=False,
    help="A new claim for this device, as for a lost card: what it had counts no more. Several times for several.")]
Serial = Annotated[str, typer.Argument(metavar="SERIAL", show_default=False, help="The device's serial number.")]
Household = Annotated[str, typer.Option("--household", metavar="NAME", help="Whose it is from now on.")]

# of `card`
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

# of `officer`
Officer = Annotated[str, typer.Argument(
    metavar="NAME", show_default=False, help="A name of a-z, 0-9 and '-', as in tran-van-binh.")]
Person = Annotated[str, typer.Option(
    "--person", metavar="TEXT", show_default=False, help="How people call the officer; households read it.")]
P12 = Annotated[Path | None, typer.Option(
    "--p12", metavar="FILE", show_default=False, callback=absolute,
    help="Where the file for the officer's browser is laid. Without it: desk-NAME.p12 here.")]


@app.command("card", rich_help_panel=DEVICES)
def card(device: CardSerial, bundles: Bundles = Path("bundles"), boot: BootFolder = None, image: CardImage = None,
         packages: CardPackages = None) -> None:
    """Make a freshly flashed card, or its image, that of one recorder: bundle, code, network. It is read back."""
    from agent.cli.card import provision
    from agent.cli.card.main import report
    if (boot is None) == (image is None):
        raise typer.BadParameter("give --boot, or --image, and not both")
    debs = [deb for name in PACKAGES for deb in sorted(packages.glob(f"{name}_*.deb"))] if packages else []
    made = (provision.on_card(bundles / device, boot, debs) if boot
            else provision.in_image(bundles / device, image, debs))
    try:
        with made as read_back:
            report(read_back, str(boot or image))
    except OSError as error:
        raise StoreError(f"{error.filename or boot or image}: {error.strerror or error}") from error


@app.command("enrol", rich_help_panel=DEVICES)
def enrol(sheet: Sheet = None, *, folder: Folder, again: Again = None, config: Config = WARD_CONFIG) -> int:
    """Expect the devices of a list: a claim, a bundle for the card and a label each. The same list again is safe."""
    from agent.ward.enrolment.main import run_enrol
    return run_enrol(config, sheet, folder, again or ())


@app.command("handover", rich_help_panel=DEVICES)
def handover(serial: Serial, folder: Folder, household: Household = "", config: Config = WARD_CONFIG) -> int:
    """Have another household get a device: its certificate counts no more, and it gets a new claim."""
    from agent.ward.enrolment.main import run_handover
    return run_handover(config, serial, household, folder)


@officers.command("add")
def add(name: Officer, person: Person = "", p12: P12 = None, config: Config = WARD_CONFIG) -> int:
    """Make an officer's certificate, as a file that a browser takes in, and tell its passphrase once."""
    from agent.ward.desk.officers import run_add
    return run_add(config, name, person, p12)


@officers.command("list")
def listed(config: Config = WARD_CONFIG) -> int:
    """List the officers, and when their certificates end."""
    from agent.ward.desk.officers import run_list
    return run_list(config)


@officers.command("remove")
def remove(name: Officer, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Take an officer's certificate back: the desk lets it in no more."""
    from agent.ward.desk.officers import run_remove
    return run_remove(config, name, reload or "")


app.add_typer(officers, name="officer", rich_help_panel=DEVICES)
