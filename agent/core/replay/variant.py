"""One way of looking: what the detector is told, and how often it looks."""
from dataclasses import dataclass

from agent.core.model import Point
from agent.core.motion import Detector, MotionSettings, Sensitivity

Area = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings of one camera as they are, or as they might be. Zones join here once a camera has some."""

    name: str
    sensitivity: Sensitivity
    smallest_pct: float         # of the picture
    fps: float                  # looks a second
    ignore: tuple[Area, ...] = ()

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
