"""Real encoded video for the tests of NAL units and MP4, made on the spot by libx264 and libx265."""
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import av

from agent.core.media import nal
from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import HEAD_MAX_B
from agent.core.media.mp4.salvage import salvage
from agent.core.media.mp4.write import Movie
from tests.rigs.wait import HANG_S

WIDTH, HEIGHT = 162, 90         # no multiples of 16: the SPS must crop

STEADY = tuple(n * 1_000_000 // 15 for n in range(75))                       # 15 frames a second, 5 s
UNEVEN = tuple(n * 40_000 + (n * n * 7919) % 39_000 for n in range(75))      # never the same gap twice in a row

STREAMS = {
    "h264": ("h264", STEADY, 0),
    "h264-b-frames": ("h264", STEADY, 2),
    "h264-uneven": ("h264", UNEVEN, 0),
    "h264-b-frames-uneven": ("h264", UNEVEN, 2),
    "h265": ("h265", STEADY, 0),
    "h265-b-frames-uneven": ("h265", UNEVEN, 2),
}


@cache
def encode(name: str) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """The stream of that name in STREAMS: a keyframe every 15 frames, each with parameter sets, as cameras send it."""
    codec, times_us, b_frames = STREAMS[name]
    context = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 1_000_000), Fraction(15)
    gop = f"keyint=15:min-keyint=15:scenecut=0:bframes={b_frames}"
    context.options = ({"x264-params": gop} if codec == "h264" else
                       {"x265-params": gop + ":open-gop=0:repeat-headers=1:log-level=none:pools=none"})
    start_us = 7_000_000_123        # a device that has been up for a while
    encoded = []
    for number, time_us in enumerate(times_us):
        encoded += context.encode(_picture(number, start_us + time_us))
    encoded += context.encode(None)
    packets = tuple(Packet(nal.to_lengths(bytes(one)), one.pts, one.dts, one.is_keyframe) for one in encoded)
    found = nal.describe(codec, nal.split_lengths(packets[0].data))
    return StreamInfo(found.codec, found.width, found.height, found.config), packets


def _picture(number: int, pts_us: int) -> av.VideoFrame:
    """Stripes of noise, others in each picture, so that none is taken for another."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    noise = Random(number)
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.line_size) * plane.height)
    frame.pts = pts_us
    return frame


def in_fragments(packets: Sequence[Packet], most_n: int) -> list[Sequence[Packet]]:
    """A new fragment at each keyframe and after `most_n` packets, as the recorder does it."""
    groups: list[list[Packet]] = []
    for packet in packets:
        if not groups or packet.key or len(groups[-1]) == most_n:
            groups.append([])
        groups[-1].append(packet)
    return list(groups)


def write(stream: StreamInfo, packets: Sequence[Packet], most_n: int = 6, last_us: int = 66_667,
          **options: Any) -> tuple[Movie, bytes]:
    """An unfinished file of these packets, as it lies on the card before the close."""
    movie = Movie(stream, reorder_us=packets[0].pts_us - packets[0].dts_us, **options)
    groups = in_fragments(packets, most_n)
    ends = [after[0].dts_us for _, after in pairwise(groups)] + [packets[-1].dts_us + last_us]
    return movie, movie.init_segment() + b"".join(map(movie.fragment, groups, ends))


def close(movie: Movie, part: bytes) -> bytes:
    """The finished file."""
    head = movie.final_head()
    return head + part[len(head):]


def read_at(data: bytes) -> Callable[[int, int], bytes]:
    """A file's reading function over bytes."""
    return lambda offset, count: data[offset:offset + count]


def mended(data: bytes) -> bytes:
    """The file as recovery leaves it."""
    found = salvage(read_at(data))
    return found.head + data[len(found.head):found.size_b]


class Meter:
    """A file that counts what is asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.reads_n, self.read_b = data, 0, 0

    def __call__(self, offset: int, count: int) -> bytes:
        assert offset >= 0 and count > 0
        self.reads_n += 1
        found = self.data[offset:offset + count]
        self.read_b += len(found)
        return found


def judge(data: bytes) -> None:
    """Salvage either finds a part of the file that stands on its own or says why not, and reads little."""
    meter = Meter(data)
    try:
        found = salvage(meter)
        assert 0 < len(found.head) < found.size_b <= len(data)
        assert salvage(read_at(found.head + data[len(found.head):found.size_b])).frames_n == found.frames_n
    except Mp4Error:
        pass
    assert meter.read_b <= HEAD_MAX_B + 3 * len(data) and meter.reads_n <= 10 + len(data) // 8


def ffprobe(path: Path, *arguments: str) -> str:
    """What ffprobe prints; a test fails on the slightest warning."""
    done = subprocess.run(["ffprobe", "-v", "warning", *arguments, "-of", "default=nw=1:nk=1", str(path)],
                          capture_output=True, text=True, timeout=HANG_S, check=True)
    assert done.stderr == ""
    return done.stdout
