"""Which cameras are paused now: the household's word from the store, and each camera's weekly hours."""
import os
from collections.abc import Collection
from dataclasses import replace

from agent.config.settings import Camera
from agent.core.household.pause import TRUSTED, UNREADABLE, Paused, all_hours, paused
from agent.host.clock import Clock, week_min
from agent.store import pause
from agent.store.folders import Folders


class PauseWatch:
    """Asked once a second. It costs a `stat` of a file that the kernel has at hand; read is only what has changed."""

    def __init__(self, folders: Folders, clock: Clock, were_off: Collection[str]) -> None:
        """`were_off` are the cameras that their weekly hours had paused when they were last heard of."""
        self._folders, self._clock = folders, clock
        self._were_off = frozenset(were_off)
        self._stamp: tuple[int, int, int] | None = None
        self._pauses = pause.load(folders)
        # Wall minus monotonic time, when the clock was last right: from then on it needs no network, no hand moves it.
        self._offset_ms: int | None = None

    def look(self) -> None:
        """See whether somebody has paused or resumed."""
        stamp = self._read_stamp()
        # A file that was there and is not any more is nobody's word: the card may be gone.
        if self._pauses is UNREADABLE or (stamp is not None and stamp != self._stamp):
            self._stamp, self._pauses = stamp, pause.load(self._folders)

    def _read_stamp(self) -> tuple[int, int, int] | None:
        try:
            seen = os.stat(pause.path(self._folders))
        except OSError:
            return None
        return seen.st_ino, seen.st_mtime_ns, seen.st_size

    def of(self, camera: Camera) -> Paused | None:
        """Whether this camera is to see nothing now."""
        now = self._clock.now()
        if now.clock in TRUSTED:
            self._offset_ms = now.wall_ms - now.mono_ms
        elif self._offset_ms is not None:
            now = replace(now, wall_ms=now.mono_ms + self._offset_ms)
        week = week_min(now.wall_ms) if self._offset_ms is not None and camera.off else None
        return paused(camera.name, self._pauses, all_hours(camera.off), week, now, camera.name in self._were_off)

    def guesses(self, camera: Camera) -> bool:
        """Whether the camera has weekly hours that nobody can tell, for the clock is not to be relied upon."""
        return bool(camera.off) and self._offset_ms is None
