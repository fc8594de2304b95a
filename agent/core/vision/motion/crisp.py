"""How crisp the edges of something are: an insect or a drop near the lens, a shadow and a cone of light are soft.

It stands alone because its constants belong to no other measure of the scene.
"""
import cv2
import numpy as np

from agent.core.vision.motion.background import Background
from agent.core.vision.motion.blobs import Blob
from agent.core.vision.motion.picture import WorkPicture

_CRISPEST = 0.375            # a sharp edge, once slightly blurred, climbs by this share of its height in a pixel
_AROUND_PX = 2               # the edges of a blob may lie this far outside it
_TEXTURE_PX = 9              # the scene's own edges are looked for in squares of this side,
_TEXTURE_LEVELS = 12.0       # where it has at least this contrast,
_TEXTURE_SHARE = 0.75        # and its sharper quarter counts
_TEXTURE_MIN_PX = 50         # a scene with less texture than this says nothing of itself
_MEASURE_EVERY_S = 60.0
_FLAT_INSIDE = 5.0           # edges that fit so often into the breadth: it is large, and perhaps blurred by moving


class Focus:
    """How crisp things are beside the scene's own edges, which are measured anew from time to time."""

    def __init__(self) -> None:
        """Start with a scene that has not been measured."""
        self._scene = _CRISPEST
        self._measured: Background | None = None
        self._again_age_s = 0.0

    def crispness(self, blob: Blob, picture: WorkPicture, background: Background) -> float:
        """About 1 for what is as crisp as the scene, or has edges that are narrow beside its breadth; else less."""
        if background is not self._measured or background.age_s >= self._again_age_s:
            self._scene = _scene_crispness(background.brightness)
            self._measured, self._again_age_s = background, background.age_s + _MEASURE_EVERY_S
        crispness = _crispness(blob, picture.brightness, background.brightness)
        return 1.0 if crispness * min(blob.w, blob.h) > _FLAT_INSIDE else crispness / self._scene


def _crispness(blob: Blob, brightness: np.ndarray, background: np.ndarray) -> float:
    """Steepest climb of what changed in and around `blob` over its height, in 1/px."""
    h, w = background.shape
    rows = slice(max(0, blob.y - _AROUND_PX), min(h, blob.y + blob.h + _AROUND_PX))
    columns = slice(max(0, blob.x - _AROUND_PX), min(w, blob.x + blob.w + _AROUND_PX))
    changed = cv2.subtract(brightness[rows, columns], background[rows, columns])
    height = cv2.norm(changed, cv2.NORM_INF)
    across = cv2.absdiff(changed[:, 2:], changed[:, :-2]).max(initial=0.0)
    down = cv2.absdiff(changed[2:], changed[:-2]).max(initial=0.0)
    return float(max(across, down)) / 2 / height if height else 0.0


def _scene_crispness(background: np.ndarray) -> float:
    """The same of the scene's edges: less than that of a sharp edge where the camera itself is out of focus."""
    square = np.ones((_TEXTURE_PX, _TEXTURE_PX), np.uint8)
    height = cv2.subtract(cv2.dilate(background, square), cv2.erode(background, square))
    textured = height > _TEXTURE_LEVELS
    if cv2.countNonZero(textured.view(np.uint8)) < _TEXTURE_MIN_PX:
        return _CRISPEST
    across = cv2.absdiff(cv2.Sobel(background, cv2.CV_32F, 1, 0, ksize=1), 0.0)
    down = cv2.absdiff(cv2.Sobel(background, cv2.CV_32F, 0, 1, ksize=1), 0.0)
    climb = cv2.dilate(cv2.max(across, down), square) / 2
    return min(_CRISPEST, float(np.quantile(climb[textured] / height[textured], _TEXTURE_SHARE)))
