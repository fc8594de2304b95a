"""Watches the wall clock by the monotonic one: when it becomes right or is moved, and whether it may delete. Pure."""
from dataclasses import dataclass, replace
from enum import Enum

STEP_MS = 2_000                     # smaller corrections are what NTP does all day
DISTRUST_S = 24 * 3600.0            # after a step the clock must hold this long before anything is deleted by age
LEAP_MS = 2 * 24 * 3600 * 1000      # a first reading this far behind the newest footage is as good as a step


class Seen(Enum):
    """What happened to the clock."""

    SYNC = "sync"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """What is known of the clock in this boot; `step` returns its successor."""

    offset_ms: int | None = None            # wall minus monotonic at the last look
    synced: bool = False
    distrusted_until_mono_s: float = 0.0

    def step(self, mono_ms: int, wall_ms: int, clock: str,
             newest_wall_ms: int | None = None) -> tuple["ClockWatch", Seen | None, int]:
        """Take one look; returns the next watch, what happened, and by how many milliseconds the clock was moved.

        `newest_wall_ms` dates the newest footage; it matters at the first look only,
        when nothing else is there to compare with.
        """
        offset_ms, synced = wall_ms - mono_ms, clock == "ntp"
        now = replace(self, offset_ms=offset_ms, synced=self.synced or synced)
        if self.offset_ms is None:
            moved_ms = wall_ms - newest_wall_ms if newest_wall_ms is not None else 0
            if moved_ms > LEAP_MS:
                now = now._distrust(mono_ms)
            return now, Seen.SYNC if synced else None, 0
        moved_ms = offset_ms - self.offset_ms
        if abs(moved_ms) > STEP_MS:
            return now._distrust(mono_ms), Seen.SYNC if synced and not self.synced else Seen.STEP, moved_ms
        return now, Seen.SYNC if synced and not self.synced else None, 0

    def may_delete(self, mono_s: float, clock: str) -> bool:
        """Whether footage may be judged by its age now."""
        return clock != "unset" and mono_s >= self.distrusted_until_mono_s

    def _distrust(self, mono_ms: int) -> "ClockWatch":
        return replace(self, distrusted_until_mono_s=mono_ms / 1000 + DISTRUST_S)
