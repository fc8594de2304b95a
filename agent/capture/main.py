"""The capture role: cameras in, clips on the card. One process for all network cameras, one for each other camera."""
import argparse
import logging
import os
import threading
from collections.abc import Sequence

from agent.capture.camera import Camera
from agent.config.load import ConfigError
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import NETWORK, parse_source
from agent.host.datagram import Outlet
from agent.host.role import Role, arguments, live

TICK_S = 1.0
END_WITHIN_S = 3.0
EXIT_STUCK = 70         # EX_SOFTWARE: a native call holds the camera; whoever started us starts us again

_log = logging.getLogger(__name__)


def choose(settings: Settings, name: str | None) -> list[CameraSettings]:
    """The cameras of this process: the one called `name`, or all that come over the network or from a file."""
    cameras = [camera for camera in settings.camera if camera.enabled]
    if name is not None:
        return [camera for camera in cameras if camera.name == name]
    return [camera for camera in cameras if parse_source(camera.source).scheme in (*NETWORK, "file")]


def serve(role: Role, cameras: list[CameraSettings]) -> None:
    """Record `cameras` until told to stop."""
    import cv2
    role.folders.demand_writable()
    cv2.setNumThreads(1)        # a small board's other cores are for the encoder and the other cameras
    outlet = Outlet(role.runtime)
    running = [Camera(camera, role.settings, role.folders, role.runtime, role.clock, outlet, role.stop, _end_stuck)
               for camera in cameras]
    for camera in running:
        camera.start()
    facts: dict[str, str | None] = {"config_fault": role.config_problem} if role.config_problem else {}
    while not role.stop.wait(TICK_S):
        for camera in running:
            camera.tick()
        if role.heart.due():
            role.heart.beat([camera.facts() for camera in running], facts)
    threads = [threading.Thread(target=camera.finish, args=(END_WITHIN_S,)) for camera in running]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(END_WITHIN_S)


def _end_stuck() -> None:
    """A native call holds the camera and maybe Python's lock: leave at once, the card is safe at any moment."""
    _log.error("the camera does not let go; ending this process frees it")
    os._exit(EXIT_STUCK)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    parser = arguments("capture")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--camera", help="the one camera of this process")
    which.add_argument("--network", action="store_true", help="all network cameras and files")
    options: argparse.Namespace = parser.parse_args(argv)
    unit = f"capture@{options.camera or 'network'}"

    def work(role: Role) -> None:
        cameras = choose(role.settings, options.camera)
        if not cameras and options.camera:
            known = ", ".join(camera.name for camera in role.settings.camera) or "none"
            raise ConfigError(f"{options.config}: has no enabled camera called {options.camera}; known: {known}")
        serve(role, cameras)    # without network cameras it idles: the unit is there for the day that one is added

    return live("capture", unit, options.config, work)
