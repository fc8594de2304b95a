"""A variant of a camera's settings: those of the detector, the rate of looks, and the zones."""
from dataclasses import dataclass

from agent.core.media.model import Point
from agent.core.vision.motion import Detector, MotionSettings, Sensitivity
from agent.core.vision.zones import Zone, Zones

_ROUNDING_S = 0.001         # times are sums of fractions


class Turns:
    """Selects pictures at a rate. A late picture shifts the next ones by at most half a period."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._next_s = self._took_s = float("-inf")

    def due(self, at_s: float, every_n: int = 1) -> bool:
        """Whether to take a picture; only every so many-th one if `every_n` is more than 1."""
        next_s = self._next_s if every_n == 1 else self._took_s + every_n * self._period_s
        return at_s >= next_s - _ROUNDING_S

    def took(self, at_s: float) -> None:
        self._next_s, self._took_s = max(self._next_s + self._period_s, at_s + self._period_s / 2), at_s


Area = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings of one camera, present or possible ones."""

    name: str
    sensitivity: Sensitivity
    smallest_pct: float         # percent of the picture
    fps: float                  # looks a second
    ignore: tuple[Area, ...] = ()
    zones: tuple[Zone, ...] = ()

    @property
    def settings(self) -> MotionSettings:
        return MotionSettings.for_people(self.sensitivity, self.smallest_pct)

    @property
    def least_share(self) -> float:
        """The share of the picture (0..1) that one object must change at least."""
        return self.settings.blob_pct / 100

    def detector(self) -> Detector:
        """Returns a new detector. Raises ValueError for an area without an inside."""
        return Detector(self.settings, self.ignore)

    def counting(self) -> Zones:
        return Zones(self.zones)
