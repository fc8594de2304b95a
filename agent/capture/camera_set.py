"""The cameras of one capture process: each with its lock, its pauses and its recovery, looked after in turn.

Other settings reach only the cameras that they concern.
"""
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.capture.camera import Camera
from agent.capture.labeller import Labeller
from agent.capture.pauses import PauseWatch
from agent.capture.recovery import Recovery
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import RAW
from agent.core.contract.facts import CameraFacts
from agent.core.recovery import Step
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.files import AlreadyRunning, Lock
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.folders import Folders

END_WITHIN_S = 3.0
LOCK_AGAIN_S = 15.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CameraEntry:
    """One camera, the lock that keeps other processes off it, and for a Pi or USB camera its recovery."""

    camera: Camera
    lock: Lock
    recovery: Recovery | None


class CameraSet:
    """All cameras of this process. Belongs to the main loop's thread."""

    def __init__(self, folders: Folders, runtime: Path, requests: Path, clock: Clock, pauses: PauseWatch,
                 stuck: Callable[[], None]) -> None:
        """`stuck` ends the process when nothing else frees a camera; `requests` is Recovery's."""
        self._folders, self._runtime, self._requests = folders, runtime, requests
        self._clock, self._pauses, self._stuck = clock, pauses, stuck
        self._outlet, self._labeller = Outlet(runtime), Labeller(runtime)
        self._settings = Settings()
        self._wanted: dict[str, CameraSettings] = {}
        self._entries: dict[str, CameraEntry] = {}
        self._recoveries: dict[str, Recovery] = {}         # outlive their cameras, for they count processes
        self._lock_again_mono_s = float("-inf")

    def obey(self, settings: Settings, cameras: Iterable[CameraSettings], insist: bool) -> None:
        """Have just these cameras at work, by these settings. One that runs by the same ones does not notice.

        Raises OSError when sockets can't be made, and, if `insist`, AlreadyRunning when another process has
        one of them; else that one is left alone, and tried again later, as when a full card has no room for its lock.
        """
        self._settings, self._wanted = settings, {camera.name: camera for camera in cameras}
        self._finish([name for name in self._entries if name not in self._wanted])
        changed = [name for name, camera in self._wanted.items()
                   if (entry := self._entries.get(name)) and entry.camera.settings != camera]
        self._finish([name for name in changed if not self._entries[name].camera.adjust(self._wanted[name])])
        self._engage(insist)

    def _engage(self, insist: bool) -> None:
        """Start those that are wanted and not there."""
        self._lock_again_mono_s = self._clock.mono_s() + LOCK_AGAIN_S
        for name, camera in self._wanted.items():
            if name in self._entries:
                continue
            try:
                self._entries[name] = self._entry(camera)
            except AlreadyRunning as error:
                if insist:
                    raise
                _log.error("%s is left to the other process: %s", name, error)
            except OSError as error:
                if fault_of(error, self._folders.root) not in NO_ROOM:
                    raise
                _log.error("%s has no lock, and waits for one: %s", name, error)

    def _entry(self, settings: CameraSettings) -> CameraEntry:
        lock = Lock(self._folders.lock(f"camera-{settings.name}"))
        camera = Camera(settings, self._settings, self._folders, self._runtime, self._clock, self._outlet,
                        lambda: self._hangs(settings.name), self._labeller)
        camera.start()
        return CameraEntry(camera, lock, self._recovery_of(settings.name) if camera.scheme in RAW else None)

    def _recovery_of(self, name: str) -> Recovery:
        if name not in self._recoveries:
            self._recoveries[name] = Recovery(name, self._folders, self._runtime, self._clock, self._requests)
        return self._recoveries[name]

    def _hangs(self, name: str) -> None:
        """A camera does not let go: the ladder's to judge where there is one, unless nobody wants the camera now."""
        entry = self._entries.get(name)
        if entry is None or entry.recovery is None or entry.camera.pump is None:
            self._stuck()
        else:
            entry.recovery.stuck = True

    def tick(self) -> Step | None:
        """What has to happen as time passes; called about once a second, and the first time opens the cameras.

        Returns a step of the ladder that was taken: the process is to end.
        """
        self._pauses.look()
        if len(self._entries) < len(self._wanted) and self._clock.mono_s() >= self._lock_again_mono_s:
            self._engage(insist=False)
        return next((step for entry in self._entries.values() if (step := self._tend(entry)) is not None), None)

    def _tend(self, entry: CameraEntry) -> Step | None:
        camera, recovery, settings = entry.camera, entry.recovery, self._settings.recovery
        paused = self._pauses.of(camera.settings)
        if recovery is not None and paused is None and (step := recovery.begin(settings)) is not None:
            recovery.carry_out(step, "its last process hung")
            return step
        camera.obey(paused)
        camera.tick()
        if recovery is None or (pump := camera.pump) is None:
            return None
        source = pump.state
        if (step := recovery.look(source, settings)) is not None:
            recovery.carry_out(step, f"{source.fault or 'camera_no_frames'} for {source.silent_s():.0f} s")
        return step

    def facts(self) -> list[CameraFacts]:
        """Each camera's part of the heartbeat."""
        return [self._facts(entry) for entry in self._entries.values()]

    def _facts(self, entry: CameraEntry) -> CameraFacts:
        facts = entry.camera.facts()
        facts.hours_unknown = self._pauses.guesses(entry.camera.settings) or None
        return entry.recovery.facts(facts) if entry.recovery is not None else facts

    def finish(self) -> None:
        """End all of them, at the same time."""
        self._finish(list(self._entries))

    def _finish(self, names: list[str]) -> None:
        entries = [self._entries.pop(name) for name in names]
        threads = [threading.Thread(target=entry.camera.finish, args=(END_WITHIN_S,)) for entry in entries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(END_WITHIN_S)
        for entry in entries:
            if entry.recovery is not None:
                entry.recovery.stop()
            with contextlib.suppress(OSError):
                entry.lock.release()
