"""Short questions to a running capture process, on one of its sockets."""
import socket
from pathlib import Path

import typer

from agent.config.settings import Camera, Settings
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders

ANSWER_S = 5.0


def seeing(settings: Settings, name: str, missing: str) -> Camera:
    """The enabled camera called `name`; `missing` is what there is not while it is paused.

    Raises typer.BadParameter, and StoreError for a camera that is paused.
    """
    enabled = {camera.name: camera for camera in settings.camera if camera.enabled}
    if name not in enabled:
        raise typer.BadParameter(f"there is no enabled camera called {name}; known: {', '.join(enabled) or 'none'}")
    if pause.load(Folders(Path(settings.store.folder))).of(name, SystemClock().now()):
        raise StoreError(f"{name}: is paused, so there is {missing}; to see again: taimat resume {name}")
    return enabled[name]


def ask(path: Path, answer_b_max: int, question: bytes = b"") -> bytes:
    """The whole answer, of a bounded length; without a `question`, who connects has asked. Raises OSError."""
    data = bytearray()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(ANSWER_S)
        asker.connect(str(path))
        if question:            # sending nothing fails where the answer has come and the other end has gone
            asker.sendall(question)
        while len(data) <= answer_b_max and (piece := asker.recv(65536)):
            data += piece
    return bytes(data)


def unanswered(path: Path, error: Exception) -> StoreError:
    """What a person is told when the socket `path` gave no answer."""
    return StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; is Taimat running (taimat run), and "
                      "may this user ask it (sudo)?")
