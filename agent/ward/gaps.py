"""Gaps in the seqs of a device: events that have not come though later ones have, and when to ask for them. Pure.

Each seq above the first one that the ward ever had of a device must come, or be named by a `gap` event.
"""
from collections.abc import Iterable
from dataclasses import dataclass, replace

PATIENCE_MS = 60_000            # an event that is merely late arrives within this
AGAIN_MAX_MS = 3_600_000        # asked for again after 1, 2, 4 ... min, up to this
GAPS_MAX = 1000                # of one device; beyond it the oldest are given up


@dataclass(frozen=True, slots=True)
class SeqGap:
    """The seqs `first`..`last` have not come; ask for them at `due_ms` (UTC ms of the ward)."""

    first: int
    last: int
    due_ms: int
    asked_n: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the seqs of one device have come."""

    top: int = 0                        # its highest seq; 0: none yet
    gaps: tuple[SeqGap, ...] = ()        # by seq

    def with_seqs(self, first: int, last: int, now_ms: int) -> "Reach":
        """The successor once these seqs have come, or are known never to come."""
        gaps = [part for gap in self.gaps for part in _without(gap, first, last)]
        if self.top and first > self.top + 1:
            gaps.append(SeqGap(self.top + 1, first - 1, now_ms + PATIENCE_MS))
        return Reach(max(self.top, last), tuple(gaps[-GAPS_MAX:]))

    def due(self, now_ms: int) -> list[SeqGap]:
        """The gaps that are to be asked for at this moment (UTC ms of the ward)."""
        return [gap for gap in self.gaps if gap.due_ms <= now_ms]

    def asked(self, asked: Iterable[SeqGap], now_ms: int) -> "Reach":
        """The successor once these gaps have been asked for."""
        done = set(asked)
        return replace(self, gaps=tuple(_later(gap, now_ms) if gap in done else gap for gap in self.gaps))


def _without(gap: SeqGap, first: int, last: int) -> list[SeqGap]:
    """The parts of `gap` outside `first`..`last`: none, one or two."""
    if last < gap.first or gap.last < first:
        return [gap]
    left = replace(gap, last=first - 1)
    right = replace(gap, first=last + 1)
    return [each for each in (left, right) if each.first <= each.last]


def _later(gap: SeqGap, now_ms: int) -> SeqGap:
    wait_ms = min(AGAIN_MAX_MS, PATIENCE_MS * 2 ** min(gap.asked_n, 16))
    return replace(gap, due_ms=now_ms + wait_ms, asked_n=gap.asked_n + 1)
