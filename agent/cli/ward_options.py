"""What stands behind `taimat ward request`, each said once: name, value and one line of help."""
from typing import Annotated

import typer

Device = Annotated[str, typer.Option("--dev", metavar="ID", help="The device's id, as taimat ward watch shows it.")]
Camera = Annotated[str, typer.Option("--cam", metavar="NAME", help="Its camera.")]
From = Annotated[str, typer.Option(
    "--from", metavar="TIME", help="From when on: '2026-11-25 14:00' here, 14:00 today, or 2026-11-25T14:00:00+07:00.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Until when; 14:10 is on the day of --from.")]
Case = Annotated[str, typer.Option("--case", metavar="NUMBER", help="The ward's number of the case.")]
Purpose = Annotated[str, typer.Option(
    "--purpose", metavar="WORD", help="What for, in the word that households have their rules by: theft, fire.")]
Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="Who answers for it.")]
Basis = Annotated[str, typer.Option("--basis", metavar="TEXT", help="The law that it is asked by.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it to its end. Ctrl-C leaves it going on.")]
Url = Annotated[str, typer.Argument(
    metavar="URL", show_default=False, help="https:// address of the same file, for devices with their certificates.")]
Request = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="As the list shows it.")]


def words(dev: str, cam: str, case: str, purpose: str, officer: str, basis: str) -> list[str]:
    """All of that which a clip and a snapshot have in common, for the ward's own command."""
    return [f"--dev={dev}", f"--cam={cam}", f"--case={case}", f"--purpose={purpose}", f"--officer={officer}",
            f"--basis={basis}"]
