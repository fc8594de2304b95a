"""The capture role: cameras in, clips on the card. One process for all network cameras, one for each other camera."""
import argparse
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from agent.capture.camera_set import CameraSet, PauseWatch
from agent.config.derived import read_by_capture
from agent.config.load import ConfigError, keep_as_good, load
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import NETWORK, parse_source
from agent.core.contract.facts import CaptureFacts
from agent.host import log, rescue
from agent.host.prctl import small_pages_only
from agent.process.orders import Reload
from agent.process.role import Role, arguments, live
from agent.store import pause
from agent.store.database import StoreError, connect
from agent.store.folders import Folders

TICK_S = 1.0
# For each thread. Stacks count within a decoder's memory limit (agent/host/decoder.py), where libc's 8 MB hardly fit.
STACK_B = 1 << 20
EXIT_STUCK = 70         # EX_SOFTWARE: only another process can free the camera; systemd starts one

_log = logging.getLogger(__name__)


def choose(settings: Settings, name: str | None) -> list[CameraSettings]:
    """Returns the cameras of this process: the one called `name`, or all network cameras and files."""
    cameras = [camera for camera in settings.camera if camera.enabled]
    if name is not None:
        return [camera for camera in cameras if camera.name == name]
    return [camera for camera in cameras if parse_source(camera.source).scheme in (*NETWORK, "file")]


def serve(role: Role, config: Path, name: str | None, reload: Reload) -> int:
    """Records the cameras that `choose` returns, until it must stop. Returns the exit code."""
    import cv2
    small_pages_only()
    threading.stack_size(STACK_B)
    role.folders.require_writable()
    cv2.setNumThreads(1)        # a small board's other cores are for the encoder and the other cameras
    settings, cameras, problem = role.settings, choose(role.settings, name), role.config_problem
    pauses = PauseWatch(role.folders, role.clock, _were_off(role.folders, cameras))
    camera_set = CameraSet(role.folders, role.runtime, rescue.FOLDER, role.clock, pauses, stuck=_end_stuck)
    camera_set.apply(settings, cameras, insist=name is not None)
    while not (stopped := role.stop.is_set()) and camera_set.tick() is None:
        if role.heartbeat.due():
            role.heartbeat.beat(camera_set.facts(), CaptureFacts(config_fault=problem))
        role.stop.wait(TICK_S)
        if reload.was_asked():
            settings, problem = _read_again(config, settings)
            camera_set.apply(settings, choose(settings, name), insist=name is not None)
    camera_set.finish()
    return 0 if stopped else EXIT_STUCK


def _read_again(config: Path, settings: Settings) -> tuple[Settings, str | None]:
    """Returns the settings to use, and what is wrong with the file if these are the old ones."""
    try:
        new = load(config)
    except ConfigError as error:
        _log.error("the settings stay as they were, because the file is wrong: %s", error)
        return settings, str(error)
    keep_as_good(config)
    log.know([camera.name for camera in new.camera])
    if read_by_capture(new.store) != read_by_capture(settings.store):
        _log.warning("[store] has changed: a restart puts that into effect")
    _log.info("the settings were read again")
    return new, None


def _were_off(folders: Folders, cameras: list[CameraSettings]) -> list[str]:
    """Returns the cameras that their weekly hours had paused last: all with such hours if the store cannot say."""
    scheduled = [camera.name for camera in cameras if camera.off]
    if not scheduled:
        return []
    try:
        with contextlib.closing(connect(folders.root)) as db:
            return [name for name in scheduled if pause.was_off(db, name)]
    except (StoreError, sqlite3.Error) as error:
        _log.error("cameras with weekly hours stay off until the clock is known to be right: %s", error)
        return scheduled


def _end_stuck() -> None:
    """Ends the process: a native call holds the camera and maybe Python's lock. The card is safe at any time."""
    _log.error("the camera does not let go; ending this process frees it")
    os._exit(EXIT_STUCK)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point of the role. Returns the exit code."""
    parser = arguments("capture")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--camera", help="the one camera of this process")
    which.add_argument("--network", action="store_true", help="all network cameras and files")
    options: argparse.Namespace = parser.parse_args(argv)
    unit = f"capture@{options.camera or 'network'}"
    reload, ended = Reload().on_signal(), list[int]()

    def work(role: Role) -> None:
        if options.camera and not choose(role.settings, options.camera):
            known = ", ".join(camera.name for camera in role.settings.camera) or "none"
            raise ConfigError(f"{options.config}: has no enabled camera called {options.camera}; known: {known}")
        # Without network cameras it idles: the unit is there for the day that one is added.
        ended.append(serve(role, options.config, options.camera, reload))

    return live("capture", unit, options.config, work) or ended[0]
