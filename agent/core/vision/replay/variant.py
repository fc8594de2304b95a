"""One way of looking: what the detector is told, how often it looks, and what counts of what it sees."""
from dataclasses import dataclass

from agent.core.media.model import Point
from agent.core.vision.motion import Detector, MotionSettings, Sensitivity
from agent.core.vision.zones import Zone, Zones

_ROUNDING_S = 0.001         # times are sums of fractions


class Turns:
    """Which pictures are looked at, so many a second; what was late is made up for by half a period at most."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._next_s = float("-inf")

    def due(self, at_s: float) -> bool:
        """Whether the picture of that time is to be looked at."""
        return at_s >= self._next_s - _ROUNDING_S

    def took(self, at_s: float) -> None:
        """The picture of that time was looked at."""
        self._next_s = max(self._next_s + self._period_s, at_s + self._period_s / 2)


Area = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings of one camera as they are, or as they might be."""

    name: str
    sensitivity: Sensitivity
    smallest_pct: float         # of the picture
    fps: float                  # looks a second
    ignore: tuple[Area, ...] = ()
    zones: tuple[Zone, ...] = ()

    @property
    def settings(self) -> MotionSettings:
        """The detector's own constants."""
        return MotionSettings.for_people(self.sensitivity, self.smallest_pct)

    @property
    def least_share(self) -> float:
        """The share of the picture (0..1) that one object has to change: with less, nothing is looked into."""
        return self.settings.blob_pct / 100

    def detector(self) -> Detector:
        """A detector that has seen nothing. Raises ValueError for an area without an inside."""
        return Detector(self.settings, self.ignore)

    def counting(self) -> Zones:
        """Its zones, with nobody in sight so far."""
        return Zones(self.zones)
