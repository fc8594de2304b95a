"""Makes still pictures from encoded video: JPEG, with a small one inside."""
from collections.abc import Sequence

import av
import cv2

from agent.core.media.jpeg import with_small
from agent.core.media.model import Packet, StreamInfo
from agent.footage.film import last_picture

WIDTH = 640
QUALITY = 80
SMALL_WIDE, SMALL_QUALITY = 272, 55     # for lists, which show it 136 px wide: twice that


def thumbnail(info: StreamInfo, packets: Sequence[Packet]) -> bytes | None:
    """Returns a JPEG of the last of `packets`, which begin with a keyframe; None if they cannot be decoded."""
    picture = last_picture(info, packets)
    return None if picture is None else jpeg(picture, QUALITY, WIDTH)


def jpeg(picture: av.VideoFrame, quality: int, width: int | None = None) -> bytes | None:
    """Returns a JPEG of that width, with a small one inside (core.media.jpeg); None if it cannot be converted."""
    wide = width or picture.width
    high = max(2, picture.height * wide // picture.width // 2 * 2) if width else picture.height
    try:
        pixels = picture.reformat(wide, high, "bgr24").to_ndarray()
    except (av.error.FFmpegError, ValueError):
        return None
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        return None
    if wide <= SMALL_WIDE:
        return data.tobytes()
    small = cv2.resize(pixels, (SMALL_WIDE, max(2, high * SMALL_WIDE // wide)), interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return with_small(data.tobytes(), cv2.imencode(".jpg", small, options)[1].tobytes())
