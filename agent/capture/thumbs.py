"""The picture of an event: one frame of its own video, decoded, made small, JPEG."""
from collections.abc import Sequence

from agent.capture.still import jpeg, last_picture
from agent.core.model import Packet, StreamInfo

WIDTH = 640
QUALITY = 80


def thumbnail(info: StreamInfo, packets: Sequence[Packet]) -> bytes | None:
    """A JPEG of the last of `packets`, which begin with a keyframe; None when they can't be decoded."""
    picture = last_picture(info, packets)
    return None if picture is None else jpeg(picture, QUALITY, WIDTH)
