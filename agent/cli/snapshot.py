"""`taimat snapshot`: a camera's picture of now, into a file."""
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.cameras import seeing, unanswered
from agent.cli.options import CameraName, Config
from agent.cli.place import load_here
from agent.cli.terminal import console, size
from agent.core.contract.still import LARGEST_B, StillError, parse
from agent.host.files import write_output
from agent.host.runtime import camera_socket
from agent.host.sockets import ask
from agent.host.users import as_before
from agent.store.database import StoreError

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", show_default=False,
    help="Where to; '-' is the standard output. Without it, a file named after camera and time, here.")]


def snapshot(camera: CameraName, output: Output = None, config: Config = None) -> None:
    settings = load_here(config)
    camera = seeing(settings, camera, "no picture").name
    jpeg, age_ms = _ask(camera, camera_socket(Path(settings.store.runtime), "snap", camera))
    target = output or Path(time.strftime(f"{camera}-%Y%m%d-%H%M%S.jpg"))
    if str(target) == "-":
        sys.stdout.buffer.write(jpeg)
        return
    try:
        with as_before():
            write_output(target, jpeg)
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; choose another place with -o FILE") from error
    console().print(f"[green]wrote[/green] {target} ({size(len(jpeg))}, {(age_ms or 0) / 1000:.1f} s old)")


def _ask(camera: str, path: Path) -> tuple[bytes, int | None]:
    try:
        still, jpeg = parse(ask(path, answer_b_max=LARGEST_B))
    except (OSError, StillError) as error:
        raise unanswered(path, error) from error
    if still.state != "ok":
        raise StoreError(f"{camera}: has no picture now, or is off by its weekly hours; taimat doctor looks at it")
    return jpeg, still.age_ms
