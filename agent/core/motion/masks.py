"""Polygons in fractions of the picture, as planes of pixels."""
from collections.abc import Sequence

import cv2
import numpy as np

from agent.core.model import Point
from agent.core.motion.picture import Size

_SUBPIXEL_BITS = 8


def covered(polygons: Sequence[Sequence[Point]], size: Size) -> np.ndarray | None:
    """Bool plane (height, width) of the pixels inside any polygon, edges included; None if there is no polygon.

    Corners outside the picture are allowed. Raises ValueError for a polygon of fewer than three corners or one
    with a corner that is not a finite number.
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
