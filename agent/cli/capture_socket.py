"""Which camera a question to a running capture process is about, and what a person is told without an answer."""
from pathlib import Path

import typer

from agent.config.settings import Camera, Settings
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders


def seeing(settings: Settings, name: str, missing: str) -> Camera:
    """The enabled camera called `name`; `missing` says what there is none of while the camera is paused.

    Raises typer.BadParameter, and StoreError for a camera that is paused.
    """
    enabled = {camera.name: camera for camera in settings.camera if camera.enabled}
    if name not in enabled:
        raise typer.BadParameter(f"there is no enabled camera called {name}; known: {', '.join(enabled) or 'none'}")
    if pause.load(Folders(Path(settings.store.folder))).of(name, SystemClock().now()):
        raise StoreError(f"{name}: is paused, so there is {missing}; to see again: taimat resume {name}")
    return enabled[name]


def unanswered(path: Path, error: Exception) -> StoreError:
    """What a person is told when the socket `path` gave no answer."""
    return StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; is Taimat running (taimat run), and "
                      "may this user ask it (sudo)?")
