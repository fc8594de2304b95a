"""A still picture out of encoded video: the last of some packets, decoded, as JPEG."""
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import cv2

from agent.core.media.model import Packet, StreamInfo

WIDTH = 640
QUALITY = 80


def thumbnail(info: StreamInfo, packets: Sequence[Packet]) -> bytes | None:
    """A JPEG of the last of `packets`, which begin with a keyframe; None when they can't be decoded."""
    picture = last_picture(info, packets)
    return None if picture is None else jpeg(picture, QUALITY, WIDTH)


MICROSECONDS = Fraction(1, 1_000_000)
DECODERS = {"h264": "h264", "h265": "hevc"}


def last_picture(info: StreamInfo, packets: Sequence[Packet],
                 go_on: Callable[[], bool] = lambda: True) -> av.VideoFrame | None:
    """The picture of the last of `packets`, which begin with a keyframe, its pts in microseconds; None without any.

    `go_on` is asked before each packet but the first: after a no, the picture reached so far counts.
    """
    decoder = av.CodecContext.create(DECODERS[info.codec], "r")
    decoder.extradata = info.config
    decoder.thread_count = 1
    picture = None
    try:
        for number, packet in enumerate(packets):
            if number and not go_on():
                break
            encoded = av.Packet(packet.data)
            encoded.pts, encoded.dts, encoded.time_base = packet.pts_us, packet.dts_us, MICROSECONDS
            for frame in decoder.decode(encoded):
                picture = frame
        for frame in decoder.decode(None):
            picture = frame
    except (av.error.FFmpegError, ValueError):
        return None
    return picture


def jpeg(picture: av.VideoFrame, quality: int, width: int | None = None) -> bytes | None:
    """The picture as JPEG, `quality` 0 to 100, made `width` wide if that is given; None when it can't be converted."""
    wide = width or picture.width
    high = max(2, picture.height * wide // picture.width // 2 * 2) if width else picture.height
    try:
        pixels = picture.reformat(wide, high, "bgr24").to_ndarray()
    except (av.error.FFmpegError, ValueError):
        return None
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes() if done else None
