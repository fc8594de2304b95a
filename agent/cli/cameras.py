"""A camera as a person types it and reads it: by its name in the configuration, or by its title."""
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from agent.cli.exits import denied
from agent.config.settings import Camera, Settings
from agent.host.clock import SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders


def meant(cameras: Iterable[Camera], said: str) -> str:
    """The name of the camera that `said` names or whose title it is; `said` itself where there is none."""
    cameras = list(cameras)
    titled = (camera.name for camera in cameras if camera.title.casefold() == said.casefold() != "")
    return said if said in {camera.name for camera in cameras} else next(titled, said)


def find(cameras: Sequence[Camera], said: str, kind: str = "camera") -> Camera:
    """The camera that is meant. Raises typer.BadParameter, which tells those that there are."""
    name = meant(cameras, said)
    if found := next((camera for camera in cameras if camera.name == name), None):
        return found
    raise typer.BadParameter(f"there is no {kind} called {said}; known: {known(cameras)}")


def known(cameras: Sequence[Camera]) -> str:
    """All of them for a person to choose from: "gate (Cổng trước), yard"."""
    told = (f"{camera.name} ({camera.title})" if camera.title else camera.name for camera in cameras)
    return ", ".join(told) or "none"


def titles(settings: Settings) -> dict[str, str]:
    """What people call each camera, by its name. A camera of old recordings need not be among them."""
    return {camera.name: camera.label for camera in settings.camera}


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
