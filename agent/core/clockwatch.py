"""Watches the wall clock by the monotonic one: when it becomes right or is moved, and whether it may delete. Pure."""
from dataclasses import dataclass, replace
from enum import Enum

from agent.core.anchors import RANK, STEP_MS

DISTRUST_S = 24 * 3600.0            # after a step the clock must hold this long before anything is deleted by age
LEAP_MS = 2 * 24 * 3600 * 1000      # a first right time this far ahead of the newest footage is as good as a step


class Seen(Enum):
    """What happened to the clock."""

    SYNC = "sync"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """What is known of the clock in this boot; `step` returns its successor."""

    offset_ms: int | None = None            # wall minus monotonic, as it was last noted
    looked_ms: int | None = None            # the same at the last look: what NTP corrects all day adds up to more
    rank: int = 0                           # the most that the clock has vouched for itself: core.anchors.RANK
    distrusted_until_mono_s: float = 0.0

    def step(self, mono_ms: int, wall_ms: int, clock: str,
             newest_wall_ms: int | None = None) -> tuple["ClockWatch", Seen | None, int]:
        """Take one look; returns the next watch, what happened, and by how many milliseconds the clock was moved.

        `newest_wall_ms` dates the newest footage. It is asked for when the clock `is_news`: nothing else is there then
        to tell a machine that was off for a night from a clock that was thrown into the next year.
        """
        offset_ms, rank = wall_ms - mono_ms, RANK.get(clock, 0)
        moved_ms = 0 if self.offset_ms is None else offset_ms - self.offset_ms
        jumped = self.looked_ms is not None and abs(offset_ms - self.looked_ms) > STEP_MS
        now = replace(self, looked_ms=offset_ms, rank=max(self.rank, rank))
        leapt = newest_wall_ms is not None and wall_ms - newest_wall_ms > LEAP_MS
        if leapt if self.is_news(clock) else jumped:
            now = replace(now, distrusted_until_mono_s=mono_ms / 1000 + DISTRUST_S)
        if rank > self.rank:
            return replace(now, offset_ms=offset_ms), Seen.SYNC, moved_ms if abs(moved_ms) > STEP_MS else 0
        if abs(moved_ms) > STEP_MS:
            return replace(now, offset_ms=offset_ms), Seen.STEP, moved_ms
        return replace(now, offset_ms=offset_ms if self.offset_ms is None else self.offset_ms), None, 0

    def is_news(self, clock: str) -> bool:
        """Whether a look at a clock in this state is the boot's first, or the first at which it is right."""
        return self.offset_ms is None or RANK.get(clock, 0) > self.rank

    def may_delete(self, mono_s: float, clock: str) -> bool:
        """Whether footage may be judged by its age now."""
        return clock != "unset" and mono_s >= self.distrusted_until_mono_s
