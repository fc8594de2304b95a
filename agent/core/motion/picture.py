"""From a luma picture of any size to the small, illumination-tolerant one that is analysed."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.motion.settings import MotionSettings

SIDE_MIN_PX = 8     # thinner pictures are stretched to this, so that every neighbourhood exists

Size = tuple[int, int]      # width, height


class Picture(NamedTuple):
    """One analysed picture; three float32 planes of the same shape."""

    brightness: np.ndarray     # grey levels 0..255, slightly blurred
    scale: np.ndarray          # grey levels that make one unit of contrast here
    contrast: np.ndarray       # brightness relative to the surroundings: a change of light mostly cancels


def work_size(shape: tuple[int, int], work_px: int) -> Size:
    """Size of the analysed picture for a luma plane of shape (height, width); never an enlargement."""
    h, w = shape
    shrink = min(1.0, work_px / max(h, w))
    return max(SIDE_MIN_PX, round(w * shrink)), max(SIDE_MIN_PX, round(h * shrink))


def prepare(y: np.ndarray, size: Size, s: MotionSettings) -> Picture:
    """Shrink `y` (uint8, any shape and strides) to `size` and compare each pixel with its surroundings."""
    small = cv2.resize(y, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    brightness = cv2.GaussianBlur(small, (3, 3), 0)
    surround = cv2.blur(brightness, (s.surround_px, s.surround_px))
    scale = surround + np.float32(s.dark_level)
    return Picture(brightness, scale, (brightness - surround) / scale)
