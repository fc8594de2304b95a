"""Rates a picture of an object: it should be large, sharp, and whole.

It has its own file because the event builder uses it, and only core/vision uses OpenCV.
"""
import cv2

from agent.core.media.model import Box
from agent.core.vision.luma import Luma

_SIDE_PX = 96           # the size of the rated cut-out: that of a thumbnail, with little noise
_DARK_LEVEL = 12.0      # grey levels added to the brightness, so that noise in the dark counts less
_HALF_SHARP = 0.02      # variance of the edges, relative to brightness, of a half sharp picture
_CUT_OFF = 0.3          # factor for an object that may continue outside the picture
_BORDER = 0.01          # an object this near to the picture's border may


def sharpness(picture: Luma, box: Box) -> float:
    """Returns the sharpness inside `box`: near 0 for a smear, nearer to 1 the crisper it is."""
    h, w = picture.shape
    left, top = int(box.x * w), int(box.y * h)
    part = picture.part(slice(top, max(top + 1, round((box.y + box.h) * h))),
                        slice(left, max(left + 1, round((box.x + box.w) * w))))
    if not part.size:
        return 0.0
    shrink = _SIDE_PX / max(part.shape)
    if shrink < 1:
        size = max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    edges = float(cv2.Laplacian(part, cv2.CV_32F).var()) / (float(part.mean()) + _DARK_LEVEL) ** 2
    return edges / (edges + _HALF_SHARP)


def worth(picture: Luma, box: Box, than: float = 0.0) -> float:
    """Returns the value of a picture of the object in `box`: the share that it fills, if sharp and whole. Returns 0
    without a look if the value cannot exceed `than`."""
    whole = (box.x > _BORDER and box.y > _BORDER and box.x + box.w < 1 - _BORDER and box.y + box.h < 1 - _BORDER)
    most = box.w * box.h * (1.0 if whole else _CUT_OFF)
    return most * sharpness(picture, box) if most > than else 0.0
