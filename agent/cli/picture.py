"""`taimat snapshot` and `taimat busy`: a camera's present picture, and its restless places."""
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.text import Text

from agent.cli.exits import denied
from agent.cli.options import CameraName, Config, Json
from agent.cli.place import load_here
from agent.cli.terminal import console, json_line, size
from agent.cli.typed import find
from agent.config.settings import Camera, Settings
from agent.core.contract import busy as restless
from agent.core.contract import still
from agent.core.contract.busy import Busy, level
from agent.host.clock import SystemClock
from agent.host.files import write_output
from agent.host.runtime import camera_socket
from agent.host.sockets import ask
from agent.host.users import as_before, give_to_caller
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders

CELLS = (("··", "dim"), ("░░", "yellow"), ("▒▒", "yellow"), ("██", "red"))      # by level; two letters are a square
LEGEND = "░ restless  ▒ more so  █ most: the more, the clearer motion there has to be before it counts"
CALM = "no place is restless"
WHY = {
    "no_picture": "the picture is empty",
    "settling": "the scene is being learned, so no motion is reported yet",
    "global_change": "the whole picture changed at once, so no motion can be seen in it",
    "frozen": "the camera keeps sending the same picture: it may hang",
    "busy": "much stirs at once (wind, rain, insects), so motion is watched longer before it counts",
    "unconfirmed": "something stirs, but not as an object moves",
    "no_zone": "something moves, but in no zone that counts",
    "cool_down": "something moves, but too soon after the last event",
}

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", show_default=False,
    help="The file to write; '-' is standard output. Default: a file here, named after camera and time.")]
Forget = Annotated[bool, typer.Option(
    "--forget", help="Take the whole picture for calm again, for example after the camera was turned.")]
_Answer = TypeVar("_Answer")


def snapshot(camera: CameraName, output: Output = None, config: Config = None) -> None:
    settings = load_here(config)
    camera = _recorded(settings, camera, "no picture").name
    found, jpeg = _ask(settings, camera, "snap", lambda path: still.parse(ask(path, answer_b_max=still.LARGEST_B)))
    _demand_picture(camera, found.state)
    target = output or Path(time.strftime(f"{camera}-%Y%m%d-%H%M%S.jpg"))
    if str(target) == "-":
        sys.stdout.buffer.write(jpeg)
        return
    try:
        with as_before():
            write_output(target, jpeg)
            give_to_caller(target)
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; choose another place with -o FILE") from error
    console().print(f"[green]wrote[/green] {target} ({size(len(jpeg))}, {(found.age_ms or 0) / 1000:.1f} s old)")


def busy(camera: CameraName, forget: Forget = False, json: Json = False, config: Config = None) -> None:
    settings = load_here(config)
    recorded = _recorded(settings, camera, "nothing to be seen")
    camera = recorded.name
    if not recorded.motion.enabled:
        raise typer.BadParameter(f"{camera} does not look for motion; to look: enabled = true under [camera.motion]")
    question = restless.FORGET if forget else restless.SHOW
    found = _ask(settings, camera, "busy",
                 lambda path: restless.parse(ask(path, question, answer_b_max=restless.LARGEST_B)))
    _demand_picture(camera, found.state)
    if json:
        json_line({"camera": camera, "forgotten": forget, "grid": found.grid, "moving": found.moving,
                   "silences": found.silences})
        return
    out = console()
    if forget:
        out.print(f"[green]forgotten[/green]  {camera}: learns again where its picture is restless")
    for line in picture(found.grid):
        out.print(line)
    out.print(f"[dim]{LEGEND if any(level(value) for row in found.grid for value in row) else CALM}[/dim]")
    for reason in reasons(found):
        out.print(f"now: {reason}")


def _recorded(settings: Settings, name: str, missing: str) -> Camera:
    """Returns the enabled camera with that name or title. `missing` says what a paused camera does not have."""
    camera = find([camera for camera in settings.camera if camera.enabled], name, "enabled camera")
    if pause.load(Folders(Path(settings.store.folder))).of(camera.name, SystemClock().now()):
        raise StoreError(f"{name}: is paused, so there is {missing}; to see again: taimat resume {camera.name}")
    return camera


def _ask(settings: Settings, camera: str, socket: str, question: Callable[[Path], _Answer]) -> _Answer:
    path = camera_socket(Path(settings.store.runtime), socket, camera)
    try:
        return question(path)
    except (OSError, msgspec.DecodeError) as error:
        remedy = "" if denied(error) else "; is Taimat running? See: taimat status"
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}{remedy}") from error


def _demand_picture(camera: str, state: str) -> None:
    if state != "ok":
        raise StoreError(f"{camera}: has no picture now, or is off by its weekly hours; taimat doctor looks at it")


def picture(grid: Sequence[Sequence[float]]) -> list[Text]:
    edge = "─" * len(CELLS[0][0]) * restless.COLUMNS
    rows = [Text.assemble("│", *(CELLS[level(value)] for value in row), "│") for row in grid]
    return [Text(f"┌{edge}┐"), *rows, Text(f"└{edge}┘")]


def reasons(busy: Busy) -> list[str]:
    """Says that something moves, or why no motion is reported."""
    if busy.moving:
        return ["something moves"]
    return [WHY.get(silence, silence) for silence in busy.silences] or ["nothing moves"]
