"""The wall clock: what happens to it, and which of the times that it told in a boot dates the boot's rows.

Pure; docs/design/time.md has the reasons.

Nobody can set the monotonic clock, so all of a boot has one true offset from it, but for what a crystal drifts. Offsets
that drift explains belong together and each dates its own stretch; of others only one can be true.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import methodcaller
from typing import NamedTuple

DISTRUST_S = 24 * 3600.0            # after a step the clock must hold this long before anything is deleted by age
LEAP_MS = 2 * 24 * 3600 * 1000      # a first right time this far ahead of the newest footage is as good as a step
RANK = {"rtc": 1, "ntp": 2}         # states of a clock that vouches for itself; the higher one is believed
STEP_MS = 2_000                     # smaller corrections are what NTP does all day
DRIFT_PPM = 200                     # a crystal's error at its worst, while no network corrects it
SETTLED_MS = 24 * 3600 * 1000       # a time that has held for so long is believed before one that has not


class ClockChange(Enum):
    """What happened to the clock."""

    SYNC = "sync"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """What is known of the clock in this boot; `step` returns its successor."""

    offset_ms: int | None = None            # wall minus monotonic, as it was last noted
    looked_ms: int | None = None            # the same at the last look: what NTP corrects all day adds up to more
    rank: int = 0                           # the most that the clock has vouched for itself: core.clock.RANK
    distrusted_until_mono_s: float = 0.0

    def step(self, mono_ms: int, wall_ms: int, clock: str,
             newest_wall_ms: int | None = None) -> tuple["ClockWatch", ClockChange | None, int]:
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
            return replace(now, offset_ms=offset_ms), ClockChange.SYNC, moved_ms if abs(moved_ms) > STEP_MS else 0
        if abs(moved_ms) > STEP_MS:
            return replace(now, offset_ms=offset_ms), ClockChange.STEP, moved_ms
        return replace(now, offset_ms=offset_ms if self.offset_ms is None else self.offset_ms), None, 0

    def is_news(self, clock: str) -> bool:
        """Whether a look at a clock in this state is the boot's first, or the first at which it is right."""
        return self.offset_ms is None or RANK.get(clock, 0) > self.rank

    def may_delete(self, mono_s: float, clock: str) -> bool:
        """Whether footage may be judged by its age now."""
        return clock != "unset" and mono_s >= self.distrusted_until_mono_s


class Anchor(NamedTuple):
    """What the wall clock was found to be; it held until the next one."""

    from_mono_ms: int       # the first of a boot reaches back to its start: 0
    offset_ms: int          # wall minus monotonic
    clock: str              # unset | saved | rtc | ntp


@dataclass(slots=True)
class _Story:
    """Anchors that can all be true. Its members are those of the highest rank among them."""

    rank: int = 0
    held_ms: int = 0
    members: dict[int, int] = field(default_factory=dict)      # offset_ms by the anchor's place, in order
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
        """The offset (ms) for the stretch of any anchor: its own, else that of the member before it, else the first."""
        before = [offset_ms for member, offset_ms in self.members.items() if member <= place]
        return before[-1] if before else next(iter(self.members.values()))


@dataclass(frozen=True, slots=True)
class Dating:
    """How the rows of a boot are dated."""

    offsets_ms: Sequence[int | None]    # for the stretch of each anchor; None: as written
    doubtful: bool                      # two times were told for right, and the last of them has not held for a day


def dating(anchors: Sequence[Anchor], now_mono_ms: int) -> Dating:
    """Date a boot by all its `anchors`, in order, as of `now_mono_ms`.

    NTP is believed before a battery clock; then what has held for a day; then the last word, for that is a correction.
    """
    stories = _stories(anchors, now_mono_ms)
    if not stories:
        return Dating([None] * len(anchors), doubtful=False)
    best = max(story.rank for story in stories)
    rivals = sorted((story for story in stories if story.rank == best), key=lambda story: max(story.members))
    true = next((story for story in reversed(rivals) if story.held_ms >= SETTLED_MS), rivals[-1])
    doubtful = len(rivals) > 1 and rivals[-1].held_ms < SETTLED_MS
    return Dating([true.at(place) for place in range(len(anchors))], doubtful)


def _stories(anchors: Sequence[Anchor], now_mono_ms: int) -> list[_Story]:
    """Each anchor that vouches for itself goes on with the story that it is nearest to, or begins one."""
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
