"""From time to pixels, along the footage and not along the clock: where nothing was recorded there is a narrow gap."""
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

from agent.core.vision.replay.trace import FootageStretch

GAP_PX = 10.0               # between two stretches,
GAPS_SHARE = 0.25           # and so much of the width for all gaps together, at most
LABEL_PX = 84.0             # a label's room
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


class PlotClock(NamedTuple):
    """The clock that people read for a moment of the replay."""

    reading_s: Callable[[float], float]     # the seconds that it shows then; labels are put where they are round
    spell: Callable[[float], str]           # the moment in digits


class Tick(NamedTuple):
    """A mark on the axis."""

    x: float
    text: str


class TimeAxis:
    """Stretches side by side between `left` and `right`."""

    def __init__(self, stretches: Sequence[FootageStretch], left: float, right: float) -> None:
        """`stretches` are in order of time, at least one."""
        gaps_n = len(stretches) - 1
        self.gap_px = min(GAP_PX, GAPS_SHARE * (right - left) / gaps_n) if gaps_n else 0.0
        footage_s = sum(each.ended_s - each.began_s for each in stretches)
        self._px_per_s = (right - left - gaps_n * self.gap_px) / max(footage_s, 1e-3)
        self.stretches = tuple(stretches)
        self._begins_s = [each.began_s for each in stretches]
        self._lefts, x = [], left
        for each in stretches:
            self._lefts.append(x)
            x += (each.ended_s - each.began_s) * self._px_per_s + self.gap_px

    def x(self, at_s: float) -> float:
        """Where that moment is; one without footage is at the end of the stretch before it."""
        number = self.stretch_of(at_s)
        stretch = self.stretches[number]
        into_s = min(max(at_s, stretch.began_s), stretch.ended_s) - stretch.began_s
        return self._lefts[number] + into_s * self._px_per_s

    def stretch_of(self, at_s: float) -> int:
        """The number of the stretch that the moment belongs to."""
        return max(0, bisect_right(self._begins_s, at_s) - 1)

    def gaps(self) -> Iterator[tuple[float, float]]:
        """Left and right of each gap."""
        for left in self._lefts[1:]:
            yield left - self.gap_px, left

    def ticks(self, clock: PlotClock) -> Iterator[Tick]:
        """Labelled moments, none nearer to another than a label is wide: where stretches begin, then round ones."""
        taken: list[float] = []
        for moments in (self._begins_s, self._round_moments(clock)):
            for at_s in moments:
                x = self.x(at_s)
                at = bisect_right(taken, x)
                if all(abs(x - other) >= LABEL_PX for other in taken[max(0, at - 1):at + 1]):
                    taken.insert(at, x)
                    yield Tick(x, clock.spell(at_s))

    def _round_moments(self, clock: PlotClock) -> Iterator[float]:
        """The moments at which the clock shows a multiple of a step that leaves room for labels."""
        step_s = next((step for step in STEPS_S if step * self._px_per_s >= LABEL_PX), STEPS_S[-1])
        for stretch in self.stretches:
            begin_s = clock.reading_s(stretch.began_s)
            at_s = stretch.began_s + ceil(begin_s / step_s) * step_s - begin_s
            while at_s <= stretch.ended_s:
                yield at_s
                at_s += step_s
