"""People who stopped walking: where a confirmed object came to rest, smaller movements count for a while.

The background's tolerance for leaves and a shaken camera also hides a person who sways or turns in place. It is dropped
where somebody is known to stand, as long as the rest of the picture is steady.
"""
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from agent.core.motion.picture import Size
from agent.core.motion.settings import MotionSettings
from agent.core.motion.track import Edges, Track

_PLACES_MAX = 6
_OUTSIDE_TIMES = 8.0       # the place must be this much livelier than the rest of the picture, pixel for pixel


@dataclass(slots=True)
class Place:
    """A rectangle in which somebody stopped, in pixels of the analysed picture."""

    number: int                               # of the object that stopped there
    left: int
    top: int
    right: int
    bottom: int
    until_mono_s: float                       # forgotten then, unless something moves
    lively_mono_s: float | None = None        # lively without a break since then; None while calm

    @property
    def edges(self) -> Edges:
        """Its four sides."""
        return self.left, self.top, self.right, self.bottom

    @property
    def area(self) -> int:
        """Its pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlaps(self, other: "Place") -> bool:
        """True if the two share a pixel."""
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)


class Stays:
    """The places of one camera's picture, the latest six."""

    def __init__(self, settings: MotionSettings, size: Size) -> None:
        """`size` is that of the analysed picture."""
        self._s = settings
        self._size = size
        self.places: list[Place] = []

    @property
    def stirring_n(self) -> int:
        """The places in which the latest picture has something that may keep moving."""
        return sum(place.lively_mono_s is not None for place in self.places)

    def remember(self, tracks: Iterable[Track], now_mono_s: float) -> None:
        """Note where `tracks`, confirmed and in sight now, have come to rest; forget places where nothing happened."""
        self.places = [p for p in self.places if now_mono_s < p.until_mono_s]
        for t in tracks:
            if not t.resting and t.speed_px_per_s < self._s.rest_sizes_per_s * t.size_px:
                t.resting = True
                place = self._place(t, now_mono_s)
                others = [p for p in self.places if not p.overlaps(place)]
                self.places = [*others, place][-_PLACES_MAX:]

    def lively(self, uneasy: np.ndarray, area_min: int, now_mono_s: float) -> list[Place]:
        """The places in which something keeps moving. `uneasy` (bool) marks pixels that differ from a while ago."""
        s = self._s
        marks = uneasy.view(np.uint8)
        counts = [cv2.countNonZero(marks[p.top:p.bottom, p.left:p.right]) for p in self.places]
        outside = max(0, cv2.countNonZero(marks) - sum(counts)) / marks.size
        found = []
        for place, count in zip(self.places, counts, strict=True):
            alive = count >= area_min and count > _OUTSIDE_TIMES * outside * place.area
            if not alive:
                place.lively_mono_s = None
            elif place.lively_mono_s is None:
                place.lively_mono_s = now_mono_s
            elif now_mono_s - place.lively_mono_s > s.sway_s:
                place.until_mono_s = now_mono_s + s.stay_memory_s
                found.append(place)
        return found

    def _place(self, t: Track, now_mono_s: float) -> Place:
        w, h = self._size
        left, top, right, bottom = t.edges
        return Place(t.number, max(0, int(left)), max(0, int(top)), min(w, int(right) + 1), min(h, int(bottom) + 1),
                     now_mono_s + self._s.stay_memory_s)
