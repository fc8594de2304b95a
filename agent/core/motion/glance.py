"""The first look: a few operations on whole grey levels that tell whether the full look could find anything at all."""
from typing import NamedTuple

import cv2
import numpy as np

_ROUNDING_LEVELS = 0.5      # the first look blurs in whole grey levels, the full one does not


class Glance(NamedTuple):
    """The grey levels between which no pixel, slightly blurred, can count; uint8 planes of the analysed shape.

    They are those of one full look and hold for a short time after it.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def between(cls, low: np.ndarray, high: np.ndarray, ignored: np.ndarray | None) -> "Glance":
        """From exact limits (float32); pixels that are `ignored` (bool) may take any level."""
        low, high = np.ceil(low + _ROUNDING_LEVELS), np.floor(high - _ROUNDING_LEVELS)
        if ignored is not None:
            low[ignored], high[ignored] = 0, 255
        return cls(*(np.clip(limit, 0, 255).astype(np.uint8) for limit in (low, high)))

    def outside_n(self, small: np.ndarray) -> int:
        """How many pixels of the shrunken picture (uint8) lie outside."""
        return small.size - cv2.countNonZero(cv2.inRange(cv2.GaussianBlur(small, (3, 3), 0), self.low, self.high))
