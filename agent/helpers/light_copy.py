"""Makes a light copy of a film, for browsers that cannot play it: `python -m agent.helpers.light_copy FD`.

The copy is H.264, 640 wide, at most 15 pictures a second, without sound. A process of its own: stdin has the film, the
parent has opened FD in memory for the copy, and stdout reports the progress. So it opens no recording and holds no key,
and a decoder that fails or uses too much memory harms nothing else.
"""
import os
import resource
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import av

from agent.host.decoder import TooLarge, set_up, turn_of, turned
from agent.host.prctl import step_back

WIDTH_MAX_PX, FPS_MAX = 640, 15
MEMORY_B = 700 << 20        # of address space; a 4K film takes a fifth of it in memory
CPU_S = 600                 # of CPU time; a Pi 4 needs less for ten minutes of 1080p
COPY_B_MAX = 32 << 20
TELL_EVERY_S = 0.3
THREADS_N = 2               # of the encoder
CLOCK_HZ = 90_000
X264 = {"preset": "ultrafast", "tune": "fastdecode", "crf": "27", "maxrate": "500k", "bufsize": "1M", "g": "30"}


def copy(source: BinaryIO, target: BinaryIO) -> Iterator[float]:
    """Writes a film's light copy; yields the finished share, 0 to 1. Raises av.FFmpegError, TooLarge and OSError."""
    with av.open(source, format="mp4") as film, av.open(target, "w", format="mp4") as made:
        pictures = film.streams.video[0]
        set_up(pictures.codec_context, {})
        length_s = float((pictures.duration or 0) * (pictures.time_base or 0)) or 1.0
        width = min(WIDTH_MAX_PX, pictures.width) & ~1
        height = max(2, round(pictures.height * width / pictures.width) & ~1)
        encoder = made.add_stream("libx264", rate=FPS_MAX, options=X264)
        encoder.pix_fmt, encoder.thread_count = "yuv420p", THREADS_N
        encoder.time_base = Fraction(1, CLOCK_HZ)
        last_s, turn = -1.0, None
        for frame in film.decode(pictures):
            if frame.time is None or frame.time - last_s < 0.9 / FPS_MAX:
                continue
            if turn is None:
                turn = turn_of(frame)
                encoder.width, encoder.height = (height, width) if turn in (90, 270) else (width, height)
            last_s = frame.time
            small = turned(frame.reformat(width, height, "yuv420p", interpolation="FAST_BILINEAR"), turn)
            small.pts, small.time_base = round(last_s * CLOCK_HZ), encoder.time_base
            made.mux(encoder.encode(small))
            yield min(last_s / length_s, 1.0)
        made.mux(encoder.encode(None))
    yield 1.0


def main() -> int:
    step_back()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (COPY_B_MAX, COPY_B_MAX))
    told_s = 0.0
    try:
        with os.fdopen(int(sys.argv[1]), "w+b", closefd=False) as target:
            for share in copy(sys.stdin.buffer, target):
                if time.monotonic() - told_s >= TELL_EVERY_S or share == 1.0:
                    told_s = time.monotonic()
                    print(f"{share:.3f}", flush=True)
    except (av.FFmpegError, TooLarge, OSError, IndexError) as error:
        print(f"light copy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
