"""A still picture out of encoded video, as JPEG with a small one in it."""
from collections.abc import Sequence

import av
import cv2
import numpy as np

from agent.core.media.jpeg import with_small
from agent.core.media.model import Packet, StreamInfo
from agent.footage.still import last_picture

WIDTH = 640
QUALITY = 80
SMALL_WIDE, SMALL_QUALITY = 272, 55     # for lists: twice the 136 px that a row of them has for it


def thumbnail(info: StreamInfo, packets: Sequence[Packet]) -> bytes | None:
    """A JPEG of the last of `packets`, which begin with a keyframe; None when they can't be decoded."""
    picture = last_picture(info, packets)
    return None if picture is None else jpeg(picture, QUALITY, WIDTH)


def jpeg(picture: av.VideoFrame, quality: int, width: int | None = None) -> bytes | None:
    """The picture as JPEG with a small one in it (core.media.jpeg), `quality` 0 to 100, made `width` wide if that is
    given; None when it can't be converted.
    """
    wide = width or picture.width
    high = max(2, picture.height * wide // picture.width // 2 * 2) if width else picture.height
    try:
        pixels = picture.reformat(wide, high, "bgr24").to_ndarray()
    except (av.error.FFmpegError, ValueError):
        return None
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        return None
    return with_small(data.tobytes(), _small(pixels)) if wide > SMALL_WIDE else data.tobytes()


def _small(pixels: np.ndarray) -> bytes:
    size = SMALL_WIDE, max(2, pixels.shape[0] * SMALL_WIDE // pixels.shape[1])
    options = [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), options)[1].tobytes()
