"""`taimat snapshot`: a camera's picture of now, into a file."""
import socket
import sys
import time
from pathlib import Path

import typer

from agent.config.load import load
from agent.core.stillwire import LARGEST_B, StillError, parse
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders
from agent.tools.place import config_path
from agent.tools.terminal import console, size

ANSWER_S = 5.0


def take(config: Path | None, camera: str, output: Path | None) -> None:
    """Ask the running recorder for the picture; `output` "-" is the standard output.

    Raises ConfigError, and StoreError when there is no picture or it can't be written.
    """
    settings = load(config_path(config))
    names = [each.name for each in settings.camera if each.enabled]
    if camera not in names:
        raise typer.BadParameter(f"there is no enabled camera called {camera}; known: {', '.join(names) or 'none'}")
    if pause.load(Folders(Path(settings.store.folder))).of(camera, SystemClock().now()):
        raise StoreError(f"{camera}: is paused, so there is no picture; to see again: taimat resume {camera}")
    jpeg, age_ms = _ask(camera, Path(settings.store.runtime) / f"snap-{camera}.sock")
    target = output or Path(time.strftime(f"{camera}-%Y%m%d-%H%M%S.jpg"))
    if str(target) == "-":
        sys.stdout.buffer.write(jpeg)
        return
    try:
        target.write_bytes(jpeg)
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; choose another place with -o FILE") from error
    console().print(f"[green]wrote[/green] {target} ({size(len(jpeg))}, {(age_ms or 0) / 1000:.1f} s old)",
                    soft_wrap=True)


def _ask(camera: str, path: Path) -> tuple[bytes, int | None]:
    data = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(ANSWER_S)
            asker.connect(str(path))
            while len(data) <= LARGEST_B and (piece := asker.recv(65536)):
                data += piece
        still, jpeg = parse(bytes(data))
    except (OSError, StillError) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; is Taimat running (taimat run), and "
                         "may this user ask it (sudo)?") from error
    if still.state != "ok":
        raise StoreError(f"{camera}: has no picture now, or is off by its weekly hours; taimat doctor looks at it")
    return jpeg, still.age_ms
