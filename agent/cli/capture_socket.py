"""Which camera a question to a running capture process is about, and what a person is told without an answer."""
from pathlib import Path

from agent.cli.cameras import find
from agent.cli.exits import denied
from agent.config.settings import Camera, Settings
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders


def seeing(settings: Settings, name: str, missing: str) -> Camera:
    """The enabled camera of that name or title; `missing` says what there is none of while the camera is paused.

    Raises typer.BadParameter, and StoreError for a camera that is paused.
    """
    camera = find([camera for camera in settings.camera if camera.enabled], name, "enabled camera")
    if pause.load(Folders(Path(settings.store.folder))).of(camera.name, SystemClock().now()):
        raise StoreError(f"{name}: is paused, so there is {missing}; to see again: taimat resume {camera.name}")
    return camera


def unanswered(path: Path, error: Exception) -> StoreError:
    """What a person is told when the socket `path` gave no answer."""
    remedy = "" if denied(error) else "; is Taimat running?"
    return StoreError(f"{path}: {getattr(error, 'strerror', None) or error}{remedy}")
