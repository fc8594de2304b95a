"""What a bad network makes of the pictures on their way: they stand still, smear, turn grey."""
from collections.abc import Callable

import numpy as np

from tests.rigs.worlds.stage import Stage

BLOCK_PX = 16

Loss = Callable[[np.ndarray, np.ndarray | None, float], np.ndarray]     # (picture, the last shown, second) -> shown


def frozen(at_s: float, seconds: float = 0.8) -> Loss:
    """The last picture stands."""
    return lambda picture, last, t_s: last if last is not None and at_s <= t_s < at_s + seconds else picture


def smeared(stage: Stage, at_s: float, seconds: float = 0.9) -> Loss:
    """From one row of blocks on, old blocks stand, some shifted, till the next keyframe."""
    rows, columns = stage.height // BLOCK_PX, stage.width // BLOCK_PX
    first = int(stage.rng.integers(rows // 4, rows - 1))
    shifts = stage.rng.integers(-6, 7, (rows + 1, columns)) * (stage.rng.random((rows + 1, columns)) < 0.35)

    def smear(picture: np.ndarray, last: np.ndarray | None, t_s: float) -> np.ndarray:
        if last is None or not at_s <= t_s < at_s + seconds:
            return picture
        out = picture.copy()
        out[first * BLOCK_PX:] = last[first * BLOCK_PX:]
        for row in range(first, rows):
            for column in np.flatnonzero(shifts[row]):
                left = int(np.clip(column * BLOCK_PX + shifts[row, column], 0, stage.width - BLOCK_PX))
                down = np.s_[row * BLOCK_PX:(row + 1) * BLOCK_PX]
                out[down, column * BLOCK_PX:(column + 1) * BLOCK_PX] = last[down, left:left + BLOCK_PX]
        return out

    return smear


def greyed(at_s: float, seconds: float = 0.6, part: float = 0.85) -> Loss:
    """The decoder starts without a keyframe: grey, with a faint trace of what changed."""
    def grey(picture: np.ndarray, last: np.ndarray | None, t_s: float) -> np.ndarray:
        if not at_s <= t_s < at_s + seconds:
            return picture
        return (part * 128 + (1 - part) * picture.astype(np.float32)).astype(np.uint8)

    return grey
