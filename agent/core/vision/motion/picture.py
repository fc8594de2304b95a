"""Makes the small, illumination-tolerant picture for the analysis from a luma picture of any size."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.luma import Size
from agent.core.vision.motion.settings import MotionSettings

_BLUR = np.array([0.25, 0.5, 0.25], np.float32)
SIDE_MIN_PX = 8     # thinner pictures are stretched to this, so that every neighbourhood exists


class WorkPicture(NamedTuple):
    """One analysed picture: float32 planes of the same shape, and the grey levels that they come from."""

    small: np.ndarray          # uint8, shrunken only
    brightness: np.ndarray     # grey levels, slightly blurred, plus `dark_level`
    scale: np.ndarray          # the same for the surroundings: the grey levels of one unit of contrast here
    contrast: np.ndarray       # brightness over that of the surroundings: most changes of light cancel out


def work_size(shape: tuple[int, int], work_px: int) -> Size:
    """Returns the size of the analysed picture for a picture of shape (height, width). It never enlarges."""
    h, w = shape
    shrink = min(1.0, work_px / max(h, w))
    return max(SIDE_MIN_PX, round(w * shrink)), max(SIDE_MIN_PX, round(h * shrink))


def prepare(small: np.ndarray, s: MotionSettings) -> WorkPicture:
    brightness = _blurred(small, s.dark_level)
    around = cv2.boxFilter(small, cv2.CV_32F, (s.surround_px, s.surround_px))      # whole levels add up twice as fast
    scale = _blurred(around, s.dark_level)
    return WorkPicture(small, brightness, scale, cv2.divide(brightness, scale))


def _blurred(levels: np.ndarray, plus: float) -> np.ndarray:
    return cv2.sepFilter2D(levels, cv2.CV_32F, _BLUR, _BLUR, delta=plus)
