"""The picture of an event: one frame of its own video, decoded, made small, JPEG."""
from collections.abc import Sequence

import av
import cv2

from agent.core.model import Packet, StreamInfo

WIDTH = 640
QUALITY = 80


def thumbnail(info: StreamInfo, packets: Sequence[Packet]) -> bytes | None:
    """A JPEG of the last of `packets`, which begin with a keyframe; None when they can't be decoded."""
    decoder = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[info.codec], "r")
    decoder.extradata = info.config
    decoder.thread_count = 1
    picture = None
    try:
        for packet in packets:
            for frame in decoder.decode(av.Packet(packet.data)):
                picture = frame
        for frame in decoder.decode(None):
            picture = frame
        if picture is None:
            return None
        height = max(2, picture.height * WIDTH // picture.width // 2 * 2)
        small = picture.reformat(WIDTH, height, "bgr24").to_ndarray()
    except (av.error.FFmpegError, ValueError):
        return None
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes() if done else None
