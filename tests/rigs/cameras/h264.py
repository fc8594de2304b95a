"""Real encoded video for tests: packets of ours, made by libx264 from any pictures, or once from a moving square."""
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from itertools import islice

import av
import numpy as np
from av.video.frame import PictureType

from agent.core.media import nal
from agent.core.media.model import Packet, StreamInfo
from tests.rigs.cameras import footage


@cache
def movie(seconds: float = 4, fps: int = 10, gop: int = 10,
          size: tuple[int, int] = (320, 180)) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """A stream's description and its packets from time 0 on, a keyframe every `gop` frames, no B-frames."""
    width, height = size
    frames = []
    for n in range(int(seconds * fps)):
        picture = np.full((height, width, 3), 90, np.uint8)
        picture[40:90, (n * 7) % (width - 40):][:, :40] = (200, 60, 30)
        frames.append(av.VideoFrame.from_ndarray(picture, "rgb24"))
    return encoded(frames, fps, gop)


def encoded(frames: Iterable[av.VideoFrame], fps: int, gop: int, **x264: str) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """The same for these pictures, all of one size; `x264` are further options of the encoder."""
    encoder, info, packets = None, None, []

    def take(found: list[av.Packet]) -> None:
        nonlocal info
        for packet in found:
            units = nal.split_annex_b(bytes(packet))
            if info is None:
                info = nal.describe("h264", units)
            packets.append(Packet(nal.join_lengths(units), packet.pts, packet.pts, packet.is_keyframe))

    for n, frame in enumerate(frames):
        if encoder is None:
            encoder = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuv420p"
            encoder.thread_count = 1        # with more, a bit rate is kept a little differently each time
            encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, 1_000_000)
            encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(gop),
                               "keyint_min": str(gop), "sc_threshold": "0", **x264}
        frame.pts, frame.time_base = n * 1_000_000 // fps, encoder.time_base
        frame.pict_type = PictureType.NONE      # a film's own keyframes are not to be ours
        take(encoder.encode(frame))
    assert encoder is not None
    take(encoder.encode(None))
    assert info is not None
    return info, tuple(packets)


@cache
def detailed() -> tuple[StreamInfo, tuple[Packet, ...]]:
    """Two seconds of real footage, full of detail, 640x360 at 10 frames a second."""
    pictures = islice(footage.frames(640, 360), 20)
    return encoded((av.VideoFrame.from_ndarray(each, "yuv420p") for each in pictures), 10, 10)
