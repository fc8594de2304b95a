"""A camera's streams under the paths that common makers use."""
import contextlib
from dataclasses import replace

from agent.cli.discover.describe import Describer, NotRtsp
from agent.cli.discover.found import NO_SUB, FoundCamera, FoundStream
from agent.cli.discover.networks import RTSPS_PORT
from agent.cli.discover.onvif import CameraRefused
from agent.cli.discover.paths import candidates, maker_of

PATHS_MAX_N = 60
USUAL_PORTS = {554, RTSPS_PORT}     # need not be written down
NO_PATH = "speaks RTSP, but has no video under any known path: its manual tells the right one"


def by_paths(ports: tuple[int, ...], camera: FoundCamera, describer: Describer) -> FoundCamera | None:
    """The camera with its streams, or with advice; None where nothing speaks RTSP on these ports."""
    spoke = False
    for port in ports:
        scheme = "rtsps" if port == RTSPS_PORT else "rtsp"
        start = f"{scheme}://{camera.address}{'' if port in USUAL_PORTS else f':{port}'}"
        try:
            maker, main, sub = _first(start, camera, describer)
        except CameraRefused as error:
            return replace(camera, locked=True).told(f"RTSP {error}")
        except (NotRtsp, OSError):
            continue
        spoke = True
        if main:
            maker = camera.maker or maker
            found = replace(camera, maker=maker, main=main, sub=sub, locked=describer.locked, ready=True)
            return found if sub else found.told(NO_SUB)
    return camera.told(NO_PATH) if spoke else None


def _first(start: str, camera: FoundCamera, describer: Describer) -> tuple[str, FoundStream | None, FoundStream | None]:
    """Maker, main and sub-stream of the first known path that leads to video; the answers so far choose the next.

    Raises CameraRefused once no further try is safe; NotRtsp, OSError.
    """
    tried: set[str] = set()
    for _ in range(PATHS_MAX_N):
        likely = maker_of(camera.maker, camera.model, describer.hints.server, describer.hints.realm)
        maker, main_path, sub_path = next((each for each in candidates(likely) if each[1] not in tried), ("", "", ""))
        if not main_path:
            break
        tried.add(main_path)
        try:
            main = describer.stream(start + main_path)
        except CameraRefused as error:        # some cameras refuse what they don't have
            if error.final:
                raise
            continue
        if main:
            return maker, main, _sub(describer, start + sub_path) if sub_path else None
    return "", None, None


def _sub(describer: Describer, url: str) -> FoundStream | None:
    """The sub-stream; a camera that has none is still a camera."""
    with contextlib.suppress(CameraRefused, NotRtsp, OSError):
        return describer.stream(url)
    return None
