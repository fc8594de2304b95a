"""The wall clock: detects its changes, and decides which offset dates the rows of a boot.

Pure; docs/design/storage.md has the reasons.

The monotonic clock cannot be set. So a boot has one true offset between the wall clock and it, except for the drift of
the crystal. Offsets that drift explains belong together and each dates its own rows. Only one of the other offsets can
be true.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import methodcaller
from typing import NamedTuple

DISTRUST_S = 24 * 3600.0            # after a step the clock must hold this long before footage is deleted by age
LEAP_MS = 2 * 24 * 3600 * 1000      # a first right time this far ahead of the newest footage counts as a step
RANK = {"rtc": 1, "ntp": 2}         # clock states with a trusted source; the higher rank wins
STEP_MS = 2_000                     # NTP makes smaller corrections all the time
DRIFT_PPM = 200                     # a crystal's largest error without a network time
SETTLED_MS = 24 * 3600 * 1000       # a time that has held this long wins over one that has not


class ClockChange(Enum):
    """A change of the wall clock."""

    SYNC = "sync"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """The known state of the clock in this boot. It is immutable: `step` returns the next state."""

    offset_ms: int | None = None            # wall minus monotonic, when it was last noted
    looked_ms: int | None = None            # the same at the last look: NTP's small corrections add up
    rank: int = 0                           # the highest RANK that the clock has had
    distrusted_until_mono_s: float = 0.0

    def step(self, mono_ms: int, wall_ms: int, clock: str,
             newest_wall_ms: int | None = None) -> tuple["ClockWatch", ClockChange | None, int]:
        """Takes one look. Returns the next watch, the change (None if absent), and the clock's movement in ms.

        `newest_wall_ms` dates the newest footage. Pass it if the clock `is_news`: only this date then distinguishes a
        machine that was off for a night from a clock that was set a year ahead.
        """
        offset_ms, rank = wall_ms - mono_ms, RANK.get(clock, 0)
        moved_ms = 0 if self.offset_ms is None else offset_ms - self.offset_ms
        jumped = self.looked_ms is not None and abs(offset_ms - self.looked_ms) > STEP_MS
        now = replace(self, looked_ms=offset_ms, rank=max(self.rank, rank))
        leapt = newest_wall_ms is not None and wall_ms - newest_wall_ms > LEAP_MS
        if leapt if self.is_news(clock) else jumped:
            now = replace(now, distrusted_until_mono_s=mono_ms / 1000 + DISTRUST_S)
        if rank > self.rank:
            return replace(now, offset_ms=offset_ms), ClockChange.SYNC, moved_ms if abs(moved_ms) > STEP_MS else 0
        if abs(moved_ms) > STEP_MS:
            return replace(now, offset_ms=offset_ms), ClockChange.STEP, moved_ms
        return replace(now, offset_ms=offset_ms if self.offset_ms is None else self.offset_ms), None, 0

    def is_news(self, clock: str) -> bool:
        """Whether this is the boot's first look, or the first one at which the clock is right."""
        return self.offset_ms is None or RANK.get(clock, 0) > self.rank

    def may_delete(self, mono_s: float, clock: str) -> bool:
        return clock != "unset" and mono_s >= self.distrusted_until_mono_s


class Anchor(NamedTuple):
    """A reading of the wall clock, valid until the next anchor."""

    from_mono_ms: int       # 0 for the first anchor of a boot
    offset_ms: int          # wall minus monotonic
    clock: str              # unset | saved | rtc | ntp


@dataclass(slots=True)
class _Story:
    """Anchors that can all be true. `members` has only those of the highest rank."""

    rank: int = 0
    held_ms: int = 0
    members: dict[int, int] = field(default_factory=dict)      # offset_ms by the anchor's index
    last: Anchor = Anchor(0, 0, "unset")

    def apart_ms(self, other: Anchor) -> int:
        return abs(other.offset_ms - self.last.offset_ms)

    def agrees(self, other: Anchor) -> bool:
        drift_ms = abs(other.from_mono_ms - self.last.from_mono_ms) * DRIFT_PPM // 1_000_000
        return self.apart_ms(other) <= STEP_MS + drift_ms

    def add(self, place: int, anchor: Anchor, held_ms: int) -> None:
        self.held_ms, self.last = self.held_ms + held_ms, anchor
        if RANK[anchor.clock] > self.rank:
            self.rank, self.members = RANK[anchor.clock], {}
        if RANK[anchor.clock] == self.rank:
            self.members[place] = anchor.offset_ms

    def at(self, place: int) -> int:
        """Returns the offset (ms) for the rows of the anchor at `place`: its own, else that of the member before it,
        else the first."""
        before = [offset_ms for member, offset_ms in self.members.items() if member <= place]
        return before[-1] if before else next(iter(self.members.values()))


@dataclass(frozen=True, slots=True)
class Dating:
    offsets_ms: Sequence[int | None]    # one for each anchor; None: leave the times as written
    doubtful: bool                      # two times were noted as right, and the last one has not held for a day


def dating(anchors: Sequence[Anchor], now_mono_ms: int) -> Dating:
    """Dates a boot by all its `anchors`, in order, as of `now_mono_ms`. NTP wins over a battery clock, then a time
    that has held for a day, then the newest time, because it is a correction."""
    stories = _stories(anchors, now_mono_ms)
    if not stories:
        return Dating([None] * len(anchors), doubtful=False)
    best = max(story.rank for story in stories)
    rivals = sorted((story for story in stories if story.rank == best), key=lambda story: max(story.members))
    true = next((story for story in reversed(rivals) if story.held_ms >= SETTLED_MS), rivals[-1])
    doubtful = len(rivals) > 1 and rivals[-1].held_ms < SETTLED_MS
    return Dating([true.at(place) for place in range(len(anchors))], doubtful)


def _stories(anchors: Sequence[Anchor], now_mono_ms: int) -> list[_Story]:
    stories: list[_Story] = []
    ends = [*(anchor.from_mono_ms for anchor in anchors[1:]), now_mono_ms]
    for place, (anchor, end_mono_ms) in enumerate(zip(anchors, ends, strict=False)):
        if anchor.clock in RANK:
            agreeing = (each for each in stories if each.agrees(anchor))
            story = min(agreeing, key=methodcaller("apart_ms", anchor), default=None)
            if story is None:
                stories.append(story := _Story())
            story.add(place, anchor, end_mono_ms - anchor.from_mono_ms)
    return stories
