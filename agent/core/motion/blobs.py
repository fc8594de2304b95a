"""Connected patches of change, strongest first."""
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.motion.background import Change


class Blob(NamedTuple):
    """One patch of changed pixels; lengths in pixels of the analysed picture."""

    x: int
    y: int
    w: int
    h: int
    area: int
    cx: float
    cy: float
    strong_n: int          # pixels changed beyond doubt
    moving_n: int          # pixels that differ from a moment ago
    share: float           # of the picture, 0..1
    overlap: float         # share of its pixels that had changed in the picture before, 0..1


def strong_min(area_min: int) -> int:
    """How many pixels of a blob of at least `area_min` must have changed beyond doubt."""
    return max(2, area_min // 3)


def find_blobs(change: Change, area_min: int, blobs_max: int) -> list[Blob]:
    """The patches of at least `area_min` pixels that hold enough strong ones; at most `blobs_max`."""
    if not change.strong.any():
        return []
    n, labels, stats, centres = cv2.connectedComponentsWithStats(change.mask, connectivity=8)
    at = np.flatnonzero(change.mask.view(bool))
    kind = change.strong.view(np.uint8) + 2 * change.moving.view(np.uint8) + 4 * change.before
    counts = np.bincount(8 * labels.ravel()[at] + kind.ravel()[at], minlength=8 * n).reshape(n, 8)
    strong, moving, before = counts[:, 1::2].sum(1), counts[:, [2, 3, 6, 7]].sum(1), counts[:, 4:].sum(1)
    area = stats[:, cv2.CC_STAT_AREA]
    good = np.flatnonzero((area >= area_min) & (strong >= strong_min(area_min)))
    good = good[good > 0]
    good = good[np.argsort(-strong[good], kind="stable")][:blobs_max]
    return [
        Blob(*stats[j].tolist(), *centres[j].tolist(), int(strong[j]), int(moving[j]),
             area[j] / change.mask.size, before[j] / area[j])
        for j in good.tolist()
    ]
