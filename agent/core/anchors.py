"""Which of the times that the wall clock told in a boot dates its rows. Pure; docs/design/time.md tells why.

Nobody can set the monotonic clock, so all of a boot has one true offset from it, but for what a crystal drifts. Offsets
that drift explains belong together and each dates its own stretch; of others only one can be true.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from typing import NamedTuple

RANK = {"rtc": 1, "ntp": 2}         # states of a clock that vouches for itself; the higher one is believed
STEP_MS = 2_000                     # smaller corrections are what NTP does all day
DRIFT_PPM = 200                     # a crystal's error at its worst, while no network corrects it
SETTLED_MS = 24 * 3600 * 1000       # a time that has held for so long is believed before one that has not


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
