"""`taimat ward enrol` and its kin: devices are expected, come by their cards, and go to other households.

Root or the desk runs the first two, with a list in hand; the third is the service that the cards come to.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.ward import panels
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()

Sheet = Annotated[Path | None, typer.Argument(
    metavar="[DEVICES.CSV]", show_default=False, help="A row a device, the columns' names in its first line.")]
Folder = Annotated[Path, typer.Option(
    "--output", "-o", metavar="FOLDER", show_default=False, help="Where bundles and labels go; for your eyes only.")]
Again = Annotated[list[str] | None, typer.Option(
    "--again", metavar="SERIAL", show_default=False,
    help="A new claim for this device, as for a lost card: what it had counts no more. Several times for several.")]
Serial = Annotated[str, typer.Argument(metavar="SERIAL", show_default=False, help="The device's serial number.")]
Household = Annotated[str, typer.Option("--household", metavar="NAME", help="Whose it is from now on.")]


@app.command("enrol", rich_help_panel=panels.DEVICES)
def enrol(sheet: Sheet = None, *, folder: Folder, again: Again = None, config: Config = WARD_CONFIG) -> None:
    """Expect the devices of a list: a claim, a bundle for the card and a label each. The same list again is safe."""
    words = [*([str(sheet.absolute())] if sheet else []), *(f"--again={serial}" for serial in again or ())]
    become("enrolment.main", config, words=["enrol", f"--output={folder.absolute()}", *words])


@app.command("handover", rich_help_panel=panels.DEVICES)
def handover(serial: Serial, folder: Folder, household: Household = "", config: Config = WARD_CONFIG) -> None:
    """Have another household get a device: its certificate counts no more, and it gets a new claim."""
    become("enrolment.main", config, words=[
        "handover", f"--output={folder.absolute()}", f"--household={household}", "--", serial])


@app.command("serve", rich_help_panel=panels.SERVICES)
def serve(config: Config = WARD_CONFIG) -> None:
    """Enrol devices by their claims, renew their certificates, and hear whether they are ready."""
    become("enrolment.serve", config)
