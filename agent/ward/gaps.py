"""Stretches of seqs that a device has not told though it told later ones, and when to ask for them. Pure.

Whatever lies above the first seq that the ward ever had of a device must come, or be named by a `gap` event.
"""
from collections.abc import Iterable
from dataclasses import dataclass, replace

PATIENCE_MS = 60_000            # a repetition that is merely late arrives within this
AGAIN_MAX_MS = 3_600_000        # asked again after 1, 2, 4 ... min, at most after this
HOLES_MAX = 1000                # of one device; the oldest are given up beyond it


@dataclass(frozen=True, slots=True)
class Hole:
    """The seqs `first`..`last` have not come; ask for them at `due_ms` (UTC ms of the ward)."""

    first: int
    last: int
    due_ms: int
    asked_n: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one device has been heard."""

    top: int = 0                        # its highest seq; 0: none yet
    holes: tuple[Hole, ...] = ()        # by seq

    def took(self, first: int, last: int, now_ms: int) -> "Reach":
        """These seqs are there, or will never come."""
        holes = [part for hole in self.holes for part in _without(hole, first, last)]
        if self.top and first > self.top + 1:
            holes.append(Hole(self.top + 1, first - 1, now_ms + PATIENCE_MS))
        return Reach(max(self.top, last), tuple(holes[-HOLES_MAX:]))

    def due(self, now_ms: int) -> list[Hole]:
        """What it is time to ask for."""
        return [hole for hole in self.holes if hole.due_ms <= now_ms]

    def asked(self, asked: Iterable[Hole], now_ms: int) -> "Reach":
        """These were asked for."""
        done = set(asked)
        return replace(self, holes=tuple(_later(hole, now_ms) if hole in done else hole for hole in self.holes))


def _without(hole: Hole, first: int, last: int) -> list[Hole]:
    """What is left of `hole`: none, one or two."""
    if last < hole.first or hole.last < first:
        return [hole]
    left = replace(hole, last=first - 1)
    right = replace(hole, first=last + 1)
    return [each for each in (left, right) if each.first <= each.last]


def _later(hole: Hole, now_ms: int) -> Hole:
    wait_ms = min(AGAIN_MAX_MS, PATIENCE_MS * 2 ** min(hole.asked_n, 16))
    return replace(hole, due_ms=now_ms + wait_ms, asked_n=hole.asked_n + 1)
