"""Real encoded video for tests: packets of ours, made once with libx264 from a moving picture."""
from fractions import Fraction
from functools import cache

import av
import numpy as np

from agent.core import nal
from agent.core.model import Packet, StreamInfo


@cache
def movie(seconds: float = 4, fps: int = 10, gop: int = 10,
          size: tuple[int, int] = (320, 180)) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """A stream's description and its packets from time 0 on, a keyframe every `gop` frames, no B-frames."""
    width, height = size
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, 1_000_000)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(gop),
                       "keyint_min": str(gop), "sc_threshold": "0"}
    packets, info = [], None
    for n in range(int(seconds * fps) + 1):
        frame = None
        if n < int(seconds * fps):
            picture = np.full((height, width, 3), 90, np.uint8)
            picture[40:90, (n * 7) % (width - 40):][:, :40] = (200, 60, 30)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = n * 1_000_000 // fps
        for packet in encoder.encode(frame):
            units = nal.split_annex_b(bytes(packet))
            if info is None:
                info = nal.describe("h264", units)
            packets.append(Packet(nal.join_lengths(units), packet.pts, packet.pts, packet.is_keyframe))
    assert info is not None
    return info, tuple(packets)
