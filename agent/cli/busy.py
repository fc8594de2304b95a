"""`taimat busy`: where a camera's picture is restless, why its motion is silent, and a way to forget it."""
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from agent.cli.cameras import seeing, unanswered
from agent.cli.options import CameraName, Config, Json
from agent.cli.place import load_here
from agent.cli.terminal import console, json_line
from agent.core.contract.busy import COLUMNS, FORGET, LARGEST_B, SHOW, Busy, BusyError, level, parse
from agent.host.runtime import camera_socket
from agent.host.sockets import ask
from agent.store.database import StoreError

CELLS = (("··", "dim"), ("░░", "yellow"), ("▒▒", "yellow"), ("██", "red"))      # by level; two letters are a square
LEGEND = "░ restless  ▒ more so  █ most: the more, the clearer motion there has to be before it counts"
CALM = "no place is restless"
WHY = {
    "no_picture": "the picture is empty",
    "settling": "the scene is being learned, so nothing is told yet",
    "global_change": "the whole picture changed at once, so nothing can be told from the rest",
    "frozen": "the camera sends one and the same picture: it may hang",
    "busy": "much stirs at once (wind, rain, insects), so motion is watched longer before it counts",
    "unconfirmed": "something stirs, but not as an object moves",
    "no_zone": "something moves, but in no zone that counts",
    "cool_down": "something moves, but too soon after the last event",
}


Forget = Annotated[bool, typer.Option(
    "--forget", help="Take every place for a calm one again: the tree is cut, the camera has been turned.")]


def busy(camera: CameraName, forget: Forget = False, json: Json = False, config: Config = None) -> None:
    settings = load_here(config)
    found_camera = seeing(settings, camera, "nothing to be seen")
    camera = found_camera.name
    if not found_camera.motion.enabled:
        raise typer.BadParameter(f"{camera} does not look for motion; to look: enabled = true under [camera.motion]")
    path = camera_socket(Path(settings.store.runtime), "busy", camera)
    try:
        found = parse(ask(path, FORGET if forget else SHOW, answer_b_max=LARGEST_B))
    except (OSError, BusyError) as error:
        raise unanswered(path, error) from error
    if found.state != "ok":
        raise StoreError(f"{camera}: has no picture now, or is off by its weekly hours; taimat doctor looks at it")
    if json:
        json_line({"camera": camera, "forgotten": forget, "grid": found.grid, "moving": found.moving,
                   "silences": found.silences})
    else:
        _print(camera, found, forget)


def _print(camera: str, busy: Busy, forgotten: bool) -> None:
    out = console()
    if forgotten:
        out.print(f"[green]forgotten[/green]  {camera}: where it was restless is learned anew")
    for line in picture(busy.grid):
        out.print(line)
    restless = any(level(value) for row in busy.grid for value in row)
    out.print(f"[dim]{LEGEND if restless else CALM}[/dim]")
    for reason in reasons(busy):
        out.print(f"now: {reason}")


def picture(grid: Sequence[Sequence[float]]) -> list[Text]:
    edge = "─" * len(CELLS[0][0]) * COLUMNS
    rows = [Text.assemble("│", *(CELLS[level(value)] for value in row), "│") for row in grid]
    return [Text(f"┌{edge}┐"), *rows, Text(f"└{edge}┘")]


def reasons(busy: Busy) -> list[str]:
    """What moves, or why nothing is said to, in words."""
    if busy.moving:
        return ["something moves"]
    return [WHY.get(each, each) for each in busy.silences] or ["nothing moves"]
