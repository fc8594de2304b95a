"""People who stopped walking: where a confirmed object came to rest, smaller movements count for a while.

The background's tolerance for leaves and a shaken camera also hides a person who sways or turns in place. The
tolerance is dropped where a person is known to stand, as long as the rest of the picture is steady.
"""
from dataclasses import dataclass

import cv2
import numpy as np

from agent.core.vision.luma import Size
from agent.core.vision.motion.parts import Part, parts
from agent.core.vision.motion.rect import Edges
from agent.core.vision.motion.settings import MotionSettings

_PLACES_MAX = 6
_SIGHTS_MIN = 3            # with fewer a thing's speed is unknown
_LEFT_SHARE = 0.92         # of its pixels look as before the person came: the person has left
_OUTSIDE_TIMES = 8.0       # the place must be this much livelier than the rest of the picture, for each pixel


@dataclass(slots=True)
class StayPlace:
    """A rectangle in which a person stopped, in pixels of the analysed picture."""

    number: int                               # of the object that stopped there
    left: int
    top: int
    right: int
    bottom: int
    until_mono_s: float                       # forgotten then, unless something moves
    taken_mono_s: float                       # last time at which a person may have been there
    crossed: bool = False                     # a person has walked out of it, or through it
    lively_mono_s: float | None = None        # lively without a break since then; None while calm

    @property
    def edges(self) -> Edges:
        return Edges(self.left, self.top, self.right, self.bottom)

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def marked_n(self, marks: np.ndarray) -> int:
        """Returns the number of its pixels that are marked in a plane (uint8) of the picture's shape."""
        return cv2.countNonZero(marks[self.top:self.bottom, self.left:self.right])


class Stays:
    def __init__(self, settings: MotionSettings, size: Size) -> None:
        """`size` is that of the analysed picture."""
        self._s = settings
        self._size = size
        self.places: list[StayPlace] = []

    @property
    def stirring_n(self) -> int:
        return sum(place.lively_mono_s is not None for place in self.places)

    def remember(self, tracks: np.ndarray, now_mono_s: float) -> list[int]:
        """Notes where visible confirmed `tracks` (TRACK) have come to rest, and forgets places where nothing happened.
        Returns the numbers of those that have just come to rest."""
        s, rested = self._s, []
        self.places = [p for p in self.places if now_mono_s < p.until_mono_s]
        sizes, rests = tracks["size"], tracks["resting"]
        new = tracks["sights"] < _SIGHTS_MIN
        for t, size, resting in zip(parts(tracks), sizes.tolist(), (new | (rests > 0)).tolist(), strict=True):
            if t.speed_px_per_s > s.walk_sizes_per_s * size:
                for place in self.places:
                    place.crossed |= place.edges.touches(t.edges)
            elif not resting and t.speed_px_per_s < s.rest_sizes_per_s * size:
                rested.append(t.number)
                place = self._place(t, now_mono_s)
                others = [p for p in self.places if not p.edges.touches(place.edges)]
                self.places = [*others, place][-_PLACES_MAX:]
        return rested

    def forget_left(self, as_before: np.ndarray, now_mono_s: float) -> None:
        """Forgets places that a person walked out of and that have looked as before (bool plane) for a while."""
        marks = as_before.view(np.uint8)
        for p in self.places:
            if not p.crossed or p.lively_mono_s is not None or p.marked_n(marks) < _LEFT_SHARE * p.area:
                p.taken_mono_s = now_mono_s
        self.places = [p for p in self.places if now_mono_s - p.taken_mono_s < self._s.left_s]

    def lively(self, uneasy: np.ndarray, area_min: int, now_mono_s: float) -> list[StayPlace]:
        """Returns the places in which something keeps moving. `uneasy` (bool): pixels that differ from a while ago."""
        s = self._s
        marks = uneasy.view(np.uint8)
        counts = [place.marked_n(marks) for place in self.places]
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
                place.crossed = False
                found.append(place)
        return found

    def _place(self, t: Part, now_mono_s: float) -> StayPlace:
        w, h = self._size
        left, top, right, bottom = t.edges
        return StayPlace(t.number, max(0, int(left)), max(0, int(top)), min(w, int(right) + 1), min(h, int(bottom) + 1),
                     now_mono_s + self._s.stay_memory_s, now_mono_s)
