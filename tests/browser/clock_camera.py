"""Video with a clock in it: each picture carries its number as bars that survive encoding, so delays can be seen."""
from functools import cache

import av
import numpy as np

from agent.cameras.encode import AccessUnits, SoftwareEncoder
from agent.core.media.model import Packet, StreamInfo

WIDTH, HEIGHT, FPS, BITS = 640, 360, 15, 10
BAR_PX = WIDTH // BITS

# What a page's script reads back from a video element: the number in the picture that is shown.
READ_NUMBER = f"""
const video = document.querySelector('video');
const canvas = Object.assign(document.createElement('canvas'), {{width: {WIDTH}, height: {HEIGHT}}});
const pen = canvas.getContext('2d', {{willReadFrequently: true}});
pen.drawImage(video, 0, 0, {WIDTH}, {HEIGHT});
let number = 0;
for (let bit = 0; bit < {BITS}; bit++) {{
  const [red] = pen.getImageData(bit * {BAR_PX} + {BAR_PX // 2}, {HEIGHT // 2}, 1, 1).data;
  number = number * 2 + (red > 127 ? 1 : 0);
}}
return [number, Date.now()];"""


class _Keeper:
    """A sink that keeps what an encoder gives."""

    def __init__(self) -> None:
        self.info: StreamInfo | None = None
        self.packets: list[Packet] = []

    def stream(self, info: StreamInfo) -> None:
        self.info = info

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)


@cache
def clock_movie(seconds: int = 40) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """A stream's format and its packets, a keyframe every two seconds; picture n shows n."""
    keeper, encoder, units = _Keeper(), SoftwareEncoder(WIDTH, HEIGHT, FPS, 1000), AccessUnits()
    for number in range(seconds * FPS):
        bits = [number >> (BITS - 1 - place) & 1 for place in range(BITS)]
        row = np.repeat(np.array(bits, np.uint8) * 235, BAR_PX)
        picture = np.ascontiguousarray(np.broadcast_to(row, (HEIGHT, WIDTH)))
        frame = av.VideoFrame.from_ndarray(picture, "gray").reformat(format="yuv420p")
        pts_us = number * 1_000_000 // FPS
        units.give(keeper, encoder.encode(frame, pts_us), pts_us)
    assert keeper.info is not None
    return keeper.info, tuple(keeper.packets)
