"""A camera as a person types it and reads it: by its name in the configuration, or by its title."""
from collections.abc import Iterable, Sequence

import typer

from agent.config.settings import Camera, Settings


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
