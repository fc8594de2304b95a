"""One way of looking: what the detector is told, how often it looks, and what counts of what it sees."""
from dataclasses import dataclass

from agent.core.model import Point
from agent.core.motion import Detector, MotionSettings, Sensitivity
from agent.core.zones import Zone, Zones

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
        """A detector that has seen nothing. Raises ValueError for an area that is none."""
        return Detector(self.settings, self.ignore)

    def counting(self) -> Zones:
        """Its zones, with nobody in sight so far."""
        return Zones(self.zones)
