"""The looks over time, as many as a plot can show: memory stays bounded however long the footage is."""
from itertools import groupby
from math import floor
from typing import NamedTuple

POINTS_MAX = 2048               # more than a wide screen has pixels
FIRST_BUCKET_S = 0.25           # the first thinning; each further one doubles it
GAP_S = 3.0                     # pictures further apart than this belong to two stretches of footage
STRETCHES_MAX = 20_000          # beyond that gaps are no longer told apart


class TracePoint(NamedTuple):
    """One look, or several neighbours as one: the strongest of everything that any of them said."""

    began_s: float
    ended_s: float
    score: float                # share of the picture that has changed, 0..1
    moving: bool                # something that counts
    silences: frozenset[str]    # why there was no event for it: some of SILENCES

    def joined(self, later: "TracePoint") -> "TracePoint":
        """This one and the next as one; peaks stay."""
        return TracePoint(self.began_s, later.ended_s, max(self.score, later.score), self.moving or later.moving,
                     self.silences | later.silences)


class Trace:
    """The looks of one detector. Past `points_max` they are joined in buckets of time that double as it goes on."""

    def __init__(self, points_max: int = POINTS_MAX) -> None:
        self._points_max = points_max
        self._bucket_s = 0.0
        self._points: list[TracePoint] = []

    @property
    def points(self) -> tuple[TracePoint, ...]:
        """The points that are kept, in order of time."""
        return tuple(self._points)

    def add(self, point: TracePoint) -> None:
        """Take the next look; times never go back."""
        if self._points and self._bucket_s and self._bucket(self._points[-1]) == self._bucket(point):
            self._points[-1] = self._points[-1].joined(point)
            return
        self._points.append(point)
        while len(self._points) > self._points_max:
            self._bucket_s = 2 * self._bucket_s or FIRST_BUCKET_S
            self._points = [_whole(list(group)) for _, group in groupby(self._points, self._bucket)]

    def _bucket(self, point: TracePoint) -> int:
        return floor(point.began_s / self._bucket_s)


def _whole(points: list[TracePoint]) -> TracePoint:
    whole = points[0]
    for point in points[1:]:
        whole = whole.joined(point)
    return whole


class FootageStretch(NamedTuple):
    """Footage without a gap, from its first picture to its last."""

    began_s: float
    ended_s: float


class Stretches:
    """Where there is footage at all."""

    def __init__(self) -> None:
        self.all: list[FootageStretch] = []

    def add(self, at_s: float) -> None:
        """There is a picture of that time; times never go back."""
        if self.all and (at_s - self.all[-1].ended_s <= GAP_S or len(self.all) >= STRETCHES_MAX):
            self.all[-1] = FootageStretch(self.all[-1].began_s, at_s)
        else:
            self.all.append(FootageStretch(at_s, at_s))
