"""From a luma picture of any size to the small, illumination-tolerant one that is analysed."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.luma import Size
from agent.core.vision.motion.settings import MotionSettings

_BLUR = np.array([0.25, 0.5, 0.25], np.float32)
SIDE_MIN_PX = 8     # thinner pictures are stretched to this, so that every neighbourhood exists


class WorkPicture(NamedTuple):
    """One analysed picture; float32 planes of the same shape, and the grey levels they were made from."""

    small: np.ndarray          # uint8, shrunken only
    brightness: np.ndarray     # grey levels, slightly blurred, plus `dark_level`
    scale: np.ndarray          # the same for the surroundings: the grey levels that make one unit of contrast here
    contrast: np.ndarray       # brightness over that of the surroundings: a change of light mostly cancels


def work_size(shape: tuple[int, int], work_px: int) -> Size:
    """Size of the analysed picture for a picture of shape (height, width); never an enlargement."""
    h, w = shape
    shrink = min(1.0, work_px / max(h, w))
    return max(SIDE_MIN_PX, round(w * shrink)), max(SIDE_MIN_PX, round(h * shrink))


def prepare(small: np.ndarray, s: MotionSettings) -> WorkPicture:
    """Compare each pixel of a shrunken picture with its surroundings."""
    brightness = _blurred(small, s.dark_level)
    around = cv2.boxFilter(small, cv2.CV_32F, (s.surround_px, s.surround_px))      # whole levels add up twice as fast
    scale = _blurred(around, s.dark_level)
    return WorkPicture(small, brightness, scale, cv2.divide(brightness, scale))


def _blurred(levels: np.ndarray, plus: float) -> np.ndarray:
    return cv2.sepFilter2D(levels, cv2.CV_32F, _BLUR, _BLUR, delta=plus)
