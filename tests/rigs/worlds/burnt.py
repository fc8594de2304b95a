"""What cameras write into their own pictures: a clock that ticks, a name, a logo."""
import time
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from tests.rigs.worlds.stage import Paint, Stage

FIRST_S = 1_790_000_000     # what the clock says first
LETTER_PX = 22              # a capital's height at scale 1
FINER = 3                   # letters are drawn so much larger, then shrunk
BLACK, WHITE = (10, 5), (245, 2)        # level and thickness, of the edge and of the letter


def clock(stage: Stage, x: float, y: float, tall_px: float = 7.0, form: str = "%Y-%m-%d %H:%M:%S",
          started_s: int = FIRST_S) -> Paint:
    """White with a black edge; it ticks every second. `x`, `y` are its lower left corner; `tall_px` at 320 wide."""
    write = _writer(stage, (x, y), tall_px)
    return lambda picture, t_s: write(picture, time.strftime(form, time.gmtime(started_s + int(t_s))))


def name(stage: Stage, text: str, x: float, y: float, tall_px: float = 7.0) -> Paint:
    """The camera's name; it stands."""
    write = _writer(stage, (x, y), tall_px)
    return lambda picture, t_s: write(picture, text)


def logo(stage: Stage, x: float, y: float, radius_px: float = 9, strength: float = 0.6) -> Paint:
    """The maker's ring with a bar through it, half transparent; it stands."""
    sheet = np.zeros((stage.height, stage.width), np.uint8)
    middle, radius = (round(x * stage.width), round(y * stage.height)), round(radius_px * stage.unit)
    cv2.circle(sheet, middle, radius, 255, max(1, round(2 * stage.unit)), cv2.LINE_AA)
    cv2.line(sheet, (middle[0] - radius, middle[1]), (middle[0] + radius, middle[1]), 255,
             max(1, round(3 * stage.unit)), cv2.LINE_AA)
    cover = sheet.astype(np.float32) * (strength / 255)
    return lambda picture, t_s: picture + cover * (230 - picture)


def _writer(stage: Stage, at: tuple[float, float], tall_px: float) -> Callable[[np.ndarray, str], np.ndarray]:
    scale = FINER * tall_px * stage.unit / LETTER_PX
    corner = round(at[0] * stage.width * FINER), round(at[1] * stage.height * FINER)

    def drawn(text: str, thick: float) -> np.ndarray:
        sheet = np.zeros((stage.height * FINER, stage.width * FINER), np.uint8)
        cv2.putText(sheet, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, round(thick * scale)),
                    cv2.LINE_AA)
        shrunk = cv2.resize(sheet, (stage.width, stage.height), interpolation=cv2.INTER_AREA)
        return shrunk.astype(np.float32) / 255

    @lru_cache(maxsize=1)
    def covers(text: str) -> list[tuple[int, np.ndarray]]:
        return [(level, drawn(text, 1.6 * thick)) for level, thick in (BLACK, WHITE)]

    def write(picture: np.ndarray, text: str) -> np.ndarray:
        for level, cover in covers(text):
            picture = picture + cover * (level - picture)
        return picture

    return write
