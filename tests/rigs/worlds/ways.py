"""Where they go: ways through a place, with stops at which people stir."""
from math import hypot, pi, sin
from typing import NamedTuple

from tests.rigs.worlds.actors import Pose
from tests.rigs.worlds.drawn import Posture
from tests.rigs.worlds.stage import Place

DEEP = 2.0          # a way towards the camera is longer than it looks
BOUT_FROM = 0.7     # of a stretch, where its bout begins
STRIDE = 0.85       # heights a walker gets ahead in one cycle of the legs

Spot = tuple[float, float]


class Stand(NamedTuple):
    """Stay for so long; `stir` is how much somebody moves meanwhile (0: a thing), `sit` whether they sit.

    With `bout_s` they move only at the end of each such stretch, and keep quite still before.
    """

    seconds: float
    stir: float = 0.5
    sit: float = 0.0
    bout_s: float = 0.0


class _Leg(NamedTuple):
    begin_s: float
    end_s: float
    start: Spot
    end: Spot
    stand: Stand | None
    walked: float           # heights, when it begins
    ahead: float            # heights, in it


class Route(NamedTuple):
    """A way through a place; nowhere before it starts and after it ends. `size` is in heights of a person."""

    place: Place
    legs: list[_Leg]
    size: float

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.legs[-1].end_s

    def __call__(self, t_s: float) -> Pose | None:
        """Where one is at this second."""
        leg = next((leg for leg in self.legs if leg.begin_s <= t_s < leg.end_s), None)
        if leg is None:
            return None
        part = (t_s - leg.begin_s) / (leg.end_s - leg.begin_s)
        x, y = (a + part * (b - a) for a, b in zip(leg.start, leg.end, strict=True))
        faces = 1 if leg.end[0] >= leg.start[0] else -1
        return Pose(x, y, self.size * self.place.tall(y), faces, _posture(leg, part, t_s))


def route(place: Place, start_s: float, *stops: Spot | Stand, speed: float = 0.8, size: float = 1.0) -> Route:
    """Through these spots (feet, fractions of the picture) and stops; `speed` is in heights a second."""
    return Route(place, _legs(place, start_s, stops, speed), size)


class Straight(NamedTuple):
    """A way towards the camera or away from it at an even speed: near the camera all grows faster."""

    place: Place
    start_s: float
    end_s: float
    start: Spot
    end: Spot
    size: float
    walked: float           # heights, till the end

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.end_s

    def __call__(self, t_s: float) -> Pose | None:
        """Where one is at this second."""
        if not self.start_s <= t_s < self.end_s:
            return None
        even = (t_s - self.start_s) / (self.end_s - self.start_s)
        tall, last = self.place.tall(self.start[1]), self.place.tall(self.end[1])
        part = even * tall / (even * tall + (1 - even) * last)      # how far in the picture
        x, y = (a + part * (b - a) for a, b in zip(self.start, self.end, strict=True))
        faces = 1 if self.end[0] >= self.start[0] else -1
        return Pose(x, y, self.size * self.place.tall(y), faces, Posture(step=even * self.walked / STRIDE))


def straight(place: Place, start_s: float, seconds: float, start: Spot, end: Spot, size: float = 1.0) -> Straight:
    """From spot to spot (feet, fractions of the picture) in so many seconds, in true perspective."""
    return Straight(place, start_s, start_s + seconds, start, end, size, 0.9 * seconds)


def _legs(place: Place, start_s: float, stops: tuple[Spot | Stand, ...], speed: float) -> list[_Leg]:
    legs: list[_Leg] = []
    at, now_s, walked = stops[0], start_s, 0.0
    for stop in stops[1:]:
        if isinstance(stop, Stand):
            legs.append(_Leg(now_s, now_s + stop.seconds, at, at, stop, walked, 0.0))
        else:
            wide = place.picture.shape[1] / place.picture.shape[0]
            far = hypot((stop[0] - at[0]) * wide, DEEP * (stop[1] - at[1]))
            ahead = far / ((place.tall(at[1]) + place.tall(stop[1])) / 2)
            legs.append(_Leg(now_s, now_s + ahead / speed, at, stop, None, walked, ahead))
            at, walked = stop, walked + ahead
        now_s = legs[-1].end_s
    return legs


def _posture(leg: _Leg, part: float, t_s: float) -> Posture:
    if leg.stand is None:
        return Posture(step=(leg.walked + part * leg.ahead) / STRIDE)
    phase = leg.begin_s
    stir = leg.stand.stir * (_bout(t_s - phase, leg.stand.bout_s) if leg.stand.bout_s else 1)
    lively = max(0.0, sin(2 * pi * t_s / 7.1 + phase) + 0.35) / 1.35       # people stir now and then
    lean = stir * (0.25 * sin(2 * pi * t_s / 3.7 + phase) + 0.9 * lively * sin(2 * pi * 0.55 * t_s))
    reach = stir * max(0.0, sin(2 * pi * t_s / 5.3 + 2 * phase) - 0.3) * 1.2
    return Posture(leg.walked / STRIDE, lean, min(1.0, reach), leg.stand.sit, min(1.0, stir * lively))


def _bout(since_s: float, bout_s: float) -> float:
    """0 for most of each stretch, then up to 1 and back."""
    part = since_s % bout_s / bout_s
    return sin(pi * (part - BOUT_FROM) / (1 - BOUT_FROM)) if part > BOUT_FROM else 0.0
