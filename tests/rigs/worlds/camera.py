"""The camera's own doing: noise of its sensor, and its pole in the wind."""
from math import pi

import cv2
import numpy as np

from tests.rigs.worlds.stage import Paint, Stage

SHEETS = 12


def noise(stage: Stage, deviation: float = 1.5, grain_px: float = 0.0, memory: float = 0.0) -> Paint:
    """The sensor's noise at mid-grey; brighter parts have more of it.

    `grain_px` and `memory` are what noise reduction leaves: spots instead of single pixels, and slower ones.
    """
    shape = stage.height + 16, stage.width + 16
    sheets = []
    for _ in range(SHEETS):
        sheet = stage.rng.standard_normal(shape, np.float32)
        if grain_px:
            sheet = cv2.GaussianBlur(sheet, (0, 0), grain_px)
        sheets.append(sheet / sheet.std())
    kept = np.zeros((stage.height, stage.width), np.float32)
    fresh = np.float32((1 - memory ** 2) ** 0.5)

    def grain(picture: np.ndarray, t_s: float) -> np.ndarray:
        which, down, right = stage.rng.integers((SHEETS, 16, 16)).tolist()
        sheet = sheets[which][down:down + stage.height, right:right + stage.width]
        kept[:] = memory * kept + fresh * sheet * (1 if stage.rng.random() < 0.5 else -1)
        return picture + np.float32(deviation) * np.sqrt(np.maximum(picture, 8) / 128) * kept

    return grain


def shake(stage: Stage, px: float = 1.2) -> Paint:
    """The pole trembles, in gusts: the whole picture moves by parts of a pixel or some."""
    waves = stage.rng.uniform((0.7, 0, 0.3), (3.6, 2 * pi, 1), (2, 5, 3))

    def tremble(picture: np.ndarray, t_s: float) -> np.ndarray:
        gust = 0.3 + 0.7 * np.sin(pi * t_s / 7.0) ** 2
        dx, dy = (px * stage.unit * gust * (wave[:, 2] * np.sin(2 * pi * wave[:, 0] * t_s + wave[:, 1])).sum() / 1.6
                  for wave in waves)
        move = np.array([[1, 0, dx], [0, 1, 0.6 * dy]], np.float32)
        return cv2.warpAffine(picture, move, picture.shape[::-1], borderMode=cv2.BORDER_REFLECT)

    return tremble
