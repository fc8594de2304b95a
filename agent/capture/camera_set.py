"""The cameras of one capture process, each with its lock, its pauses and its recovery.

Changed settings reach only the cameras that they concern.
"""
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.cameras.effort import HEADROOM
from agent.capture.camera import Camera
from agent.capture.labeller import Labeller
from agent.capture.recovery import Recovery
from agent.config.settings import Camera as CameraSettings
from agent.config.settings import Settings
from agent.config.source import RAW, parse_source
from agent.core.contract.facts import CameraFacts
from agent.core.household.pause import TRUSTED, UNREADABLE, Paused, all_hours, paused
from agent.core.recovery import Step
from agent.host.clock import Clock, week_min
from agent.host.files import AlreadyRunning, Lock
from agent.store import pause
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.folders import Folders

END_WITHIN_S = 3.0
LOCK_AGAIN_S = 15.0

_log = logging.getLogger(__name__)


class PauseWatch:
    """Knows which cameras are paused. Asked once a second: that costs one `stat`, unless the file has changed."""

    def __init__(self, folders: Folders, clock: Clock, were_off: Collection[str]) -> None:
        """`were_off`: the cameras that their weekly hours had paused when the last process ended."""
        self._folders, self._clock = folders, clock
        self._were_off = frozenset(were_off)
        self._stamp: tuple[int, int, int] | None = None
        self._pauses = pause.load(folders)
        # Wall minus monotonic time when the clock was last right: neither a lost network nor a user moves it later.
        self._offset_ms: int | None = None

    def look(self) -> None:
        try:
            seen = os.stat(pause.path(self._folders))
            stamp = seen.st_ino, seen.st_mtime_ns, seen.st_size
        except OSError:
            stamp = None
        # A file that has disappeared lifts no pause, because the card may be gone.
        if self._pauses is UNREADABLE or (stamp is not None and stamp != self._stamp):
            self._stamp, self._pauses = stamp, pause.load(self._folders)

    def of(self, camera: CameraSettings) -> Paused | None:
        """Returns the camera's present pause; None if it may see."""
        now = self._clock.now()
        if now.clock in TRUSTED:
            self._offset_ms = now.wall_ms - now.mono_ms
        elif self._offset_ms is not None:
            now = replace(now, wall_ms=now.mono_ms + self._offset_ms)
        week = week_min(now.wall_ms) if self._offset_ms is not None and camera.off else None
        return paused(camera.name, self._pauses, all_hours(camera.off), week, now,
                      was_off=camera.name in self._were_off)

    def guesses(self, camera: CameraSettings) -> bool:
        """Whether the camera has weekly hours while the clock has not been right yet."""
        return bool(camera.off) and self._offset_ms is None


@dataclass(slots=True)
class CameraEntry:
    """One camera, the lock that keeps other processes away from it, and the recovery of a Pi or USB camera."""

    camera: Camera
    lock: Lock
    recovery: Recovery | None


class CameraSet:
    """All cameras of this process. For the main loop's thread."""

    def __init__(self, folders: Folders, runtime: Path, requests: Path, clock: Clock, pauses: PauseWatch, *,
                 stuck: Callable[[], None]) -> None:
        """`stuck` ends the process if nothing else frees a camera; `requests` is Recovery's."""
        self._folders, self._runtime, self._requests = folders, runtime, requests
        self._clock, self._pauses, self._stuck = clock, pauses, stuck
        self._labeller = Labeller(runtime)
        self._settings = Settings()
        self._wanted: dict[str, CameraSettings] = {}
        self._entries: dict[str, CameraEntry] = {}
        self._recoveries: dict[str, Recovery] = {}         # outlive their cameras, because they count processes
        self._lock_again_mono_s = float("-inf")

    def apply(self, settings: Settings, cameras: Iterable[CameraSettings], insist: bool) -> None:
        """Runs exactly these cameras with these settings. A camera whose settings have not changed keeps running.

        Raises OSError if a socket cannot be made. If another process has one of the cameras, it raises AlreadyRunning
        if `insist`; otherwise it tries that camera again later, as it does if a full card has no room for the lock.
        """
        self._settings, self._wanted = settings, {camera.name: camera for camera in cameras}
        HEADROOM.others = tuple(float(camera.width * camera.height * camera.fps) for camera in settings.camera
                                if camera.enabled and camera.name not in self._wanted
                                and parse_source(camera.source).scheme in RAW)
        self._finish([name for name in self._entries if name not in self._wanted])
        changed = [name for name, camera in self._wanted.items()
                   if (entry := self._entries.get(name)) and entry.camera.settings != camera]
        self._finish([name for name in changed if not self._entries[name].camera.adjust(self._wanted[name])])
        self._engage(insist)

    def _engage(self, insist: bool) -> None:
        self._lock_again_mono_s = self._clock.mono_s() + LOCK_AGAIN_S
        for name, camera in self._wanted.items():
            if name in self._entries:
                continue
            try:
                self._entries[name] = self._entry(camera)
            except AlreadyRunning as error:
                if insist:
                    raise
                _log.error("%s belongs to another process: %s; tried again", name, error)
            except OSError as error:
                if fault_of(error, self._folders.root) not in NO_ROOM:
                    raise
                _log.error("%s has no lock yet: %s; tried again", name, error)

    def _entry(self, settings: CameraSettings) -> CameraEntry:
        lock = Lock(self._folders.lock(f"camera-{settings.name}"))
        camera = Camera(settings, self._settings, self._folders, self._runtime, self._clock,
                        stuck=lambda: self._hangs(settings.name), labeller=self._labeller)
        camera.start()
        if camera.scheme in RAW and settings.name not in self._recoveries:
            self._recoveries[settings.name] = Recovery(settings.name, self._folders, self._runtime, self._clock,
                                                       self._requests)
        return CameraEntry(camera, lock, self._recoveries[settings.name] if camera.scheme in RAW else None)

    def _hangs(self, name: str) -> None:
        """A camera does not let go: the ladder decides what follows, if the camera has one and is wanted."""
        entry = self._entries.get(name)
        if entry is None or entry.recovery is None or entry.camera.pump is None:
            self._stuck()
        else:
            entry.recovery.stuck = True

    def tick(self) -> Step | None:
        """Called about once a second. Returns a step of the ladder if one was taken: then the process must end."""
        self._pauses.look()
        if len(self._entries) < len(self._wanted) and self._clock.mono_s() >= self._lock_again_mono_s:
            self._engage(insist=False)
        return next((step for entry in self._entries.values() if (step := self._tick_entry(entry)) is not None), None)

    def _tick_entry(self, entry: CameraEntry) -> Step | None:
        camera, recovery, settings = entry.camera, entry.recovery, self._settings.recovery
        paused = self._pauses.of(camera.settings)
        if recovery is not None and paused is None and (step := recovery.begin(settings)) is not None:
            recovery.carry_out(step, "no picture (its last process hung)")
            return step
        camera.set_paused(paused)
        camera.tick()
        if recovery is None or (pump := camera.pump) is None:
            return None
        source = pump.state
        if (step := recovery.look(source, settings)) is not None:
            recovery.carry_out(step, f"no picture ({source.fault or 'camera_no_frames'} for {source.silent_s():.0f} s)")
        elif recovery.wants_encoder(camera.encoder, settings):
            step = Step.REBOOT
            recovery.carry_out(step, "the board's video encoder worked before and is gone", for_encoder=True)
        return step

    def facts(self) -> list[CameraFacts]:
        return [self._facts(entry) for entry in self._entries.values()]

    def _facts(self, entry: CameraEntry) -> CameraFacts:
        facts = entry.camera.facts()
        facts.hours_unknown = self._pauses.guesses(entry.camera.settings) or None
        return entry.recovery.facts(facts) if entry.recovery is not None else facts

    def finish(self) -> None:
        """Ends all cameras at the same time."""
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
