"""Rectangles with fractions of pixels, as four sides."""
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.media.model import Point
from agent.core.vision.motion.picture import Size

_SUBPIXEL_BITS = 8


def covered(polygons: Sequence[Sequence[Point]], size: Size) -> np.ndarray | None:
    """Returns a bool plane (height, width) of the pixels inside any polygon, including edges; None without polygons.

    Corners outside the picture are allowed. Raises ValueError for a polygon of fewer than three corners, or with a
    corner that is not a finite number.
    """
    if not polygons:
        return None
    plane = np.zeros(size[::-1], np.uint8)
    for polygon in polygons:
        corners = np.asarray(polygon, np.float64)
        if len(corners) < 3 or corners.shape[1:] != (2,) or not np.isfinite(corners).all():
            raise ValueError(f"a polygon needs three or more corners with finite numbers, not {list(polygon)!r}")
        pixels = np.clip(corners, -1.0, 2.0) * size - 0.5
        cv2.fillPoly(plane, [np.rint(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)], 1, shift=_SUBPIXEL_BITS)
    return plane.view(bool)


class Edges(NamedTuple):
    """Sides in pixels of the analysed picture. The right and lower ones are just outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def size_px(self) -> float:
        return max(self.right - self.left, self.bottom - self.top)

    @property
    def area_px(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    def touches(self, other: "Edges") -> bool:
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)

    def share_in(self, other: "Edges") -> float:
        w = min(self.right, other.right) - max(self.left, other.left)
        if w <= 0:
            return 0.0
        h = min(self.bottom, other.bottom) - max(self.top, other.top)
        return w * h / self.area_px if h > 0 else 0.0

    def joined(self, other: "Edges") -> "Edges":
        return Edges(min(self.left, other.left), min(self.top, other.top),
                     max(self.right, other.right), max(self.bottom, other.bottom))
