"""The features of one picture: detail, edges and light, in logarithms, so that the kind of light hardly matters."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.luma import Luma
from agent.core.vision.motion.picture import work_size
from agent.core.vision.tamper.settings import TamperSettings

GRID = (16, 9)              # cells across and down, for pictures of any shape
_CELL_PX = 2                # least side of a cell in the coarse picture
_TINY = 1e-6


class TamperSight(NamedTuple):
    """The features of one picture. Planes are float32 unless noted otherwise, and read-only."""

    mono_s: float
    grain: np.ndarray       # uint8: single pixels of the picture, with their noise
    fine: np.ndarray        # contrast of every fourth pixel of the fine picture with its three neighbours
    power: np.ndarray       # power of `fine` in each cell
    edges: np.ndarray       # steps to the right and down, in the coarse picture; shape (height, width, 2)
    axes: np.ndarray        # the same as undirected edges, which stay if light and dark swap
    levels: np.ndarray      # brightness of the cells, grey levels
    white: np.ndarray       # share of blinded pixels in each cell
    lux: float | None       # the camera's value
    key_mono_s: float | None = None     # of the keyframe that it depends on, if a decoder made it


class Eye:
    def __init__(self, shape: tuple[int, int], settings: TamperSettings) -> None:
        """`shape` is the (height, width) of the pictures."""
        self._white = settings.white
        w, h = work_size(shape, settings.fine_px)
        self._half = (w + 1) // 2, (h + 1) // 2
        w, h = work_size(shape, settings.coarse_px)
        self._coarse = max(w, _CELL_PX * GRID[0]), max(h, _CELL_PX * GRID[1])
        self._sparse = tuple(slice(None, None, max(1, side // settings.coarse_px)) for side in shape)
        self._log = np.log(np.arange(256, dtype=np.float32) + settings.dark_level)

    def sight(self, luma: Luma) -> TamperSight:
        small = luma.shrunken((2 * self._half[0], 2 * self._half[1]))
        half = luma.shrunken(self._half)
        full_log = cv2.LUT(small, self._log)
        half_log = cv2.resize(full_log, self._half, interpolation=cv2.INTER_AREA)
        fine = full_log[::2, ::2] - half_log
        coarse = cv2.resize(half_log, self._coarse, interpolation=cv2.INTER_AREA)
        right, down = cv2.Sobel(coarse, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(coarse, cv2.CV_32F, 0, 1, ksize=1)
        size = cv2.magnitude(right, down) + _TINY
        across, along = (right * right - down * down) / size, 2 * right * down / size
        white = grid(cv2.inRange(half, self._white, 255)) / 255
        grain = luma.part(*self._sparse).copy()
        return TamperSight(luma.mono_s, grain, fine, common(fine, fine), cv2.merge((right, down)),
                     cv2.merge((across, along)), grid(half), white, luma.lux, luma.key_mono_s)


def grid(plane: np.ndarray) -> np.ndarray:
    """Returns the mean of each cell of a plane (float32); for a plane of two parts their sum."""
    cells = cv2.resize(plane, GRID, interpolation=cv2.INTER_AREA)
    return cells.astype(np.float32) if cells.ndim == 2 else cells[..., 0] + cells[..., 1]


def lasting(average: np.ndarray, power: np.ndarray, noise_left: float) -> np.ndarray:
    """Returns, in each cell, the power that an average of sights shares with each of them, without noise. `power` is
    that of single sights, and `noise_left` the share of the noise's power in the average."""
    return np.maximum(common(average, average) - noise_left * power, 0) / (1 - noise_left + _TINY)


def common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how much of `b`'s structure, squared, is in `a`: the mean product of each cell."""
    return grid(cv2.multiply(a, b))
