"""`taimat ward request`: ask a device for pictures, and see what became of it.

The only group whose commands name a case, a law and an officer.
"""
from typing import Annotated

import typer

from agent.cli.options import Json, Last
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer(no_args_is_help=True, help="Ask a device for pictures, and see what became of it.")

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
Follow = Annotated[bool, typer.Option("--wait", help="Follow it to its end. Ctrl-C leaves it going on.")]
Request = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="As the list shows it.")]


def _words(dev: str, cam: str, case: str, purpose: str, officer: str, basis: str) -> list[str]:
    """The options that the requests for a clip and for a snapshot have in common, for the ward's own command."""
    return [f"--dev={dev}", f"--cam={cam}", f"--case={case}", f"--purpose={purpose}", f"--officer={officer}",
            f"--basis={basis}"]


@app.command("clip")
def clip(dev: Device, cam: Camera, since: From, until: To, case: Case, purpose: Purpose, officer: Officer,
         basis: Basis, wait: Follow = False, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Ask for a camera's recordings of up to an hour. They come only if the household agrees."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "clip", f"--from={since}", f"--to={until}", *_words(dev, cam, case, purpose, officer, basis)])


@app.command("snapshot")
def snapshot(dev: Device, cam: Camera, case: Case, purpose: Purpose, officer: Officer, basis: Basis,
             wait: Follow = False, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Ask for a camera's picture, taken when the household has agreed."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "snapshot", *_words(dev, cam, case, purpose, officer, basis)])


@app.command("list")
def list_(last: Last = 20, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """List what was asked for, newest first, and where each stands."""
    become("request.main", config, [("--json", json)], ["list", f"--last={last}"])


@app.command("show")
def show(request: Request, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Show one request, with each step that it took."""
    become("request.main", config, [("--json", json)], ["show", request])


@app.command("cancel")
def cancel(request: Request, config: Config = WARD_CONFIG) -> None:
    """Take a request back: nothing is taken in for it any more."""
    become("request.main", config, words=["cancel", request])
