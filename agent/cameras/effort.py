"""Measures what encoding costs here: x264 once per process, each camera's level, and whether its encoder keeps up."""
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType

import av
import numpy as np

from agent.cameras.encode import SoftwareEncoder
from agent.cameras.frame_converter import planes
from agent.core.media import headroom
from agent.core.media.headroom import EncodingWork, Level

MEASURE_CPU_S = 0.1                 # for each preset
MEASURE_SIZE, MEASURE_FPS, MEASURE_KBPS = (640, 360), 15, 1000
MEASURE_FRAMES_MIN_N, MEASURE_FRAMES_MAX_N = 3, 60
HARDWARE_TRIES_N = 3                # per process
WINDOW_S = 20.0                     # a camera that falls behind for so long has more than a bad moment


class Headroom:
    """The level of each camera of this process. Levels only go down, so that no camera moves up and down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cost_s = _Costs()
        self._steps: dict[tuple[str, int, tuple[Level, ...]], int] = {}
        self._failures_n: Counter[str] = Counter()
        self.others: tuple[float, ...] = ()     # pixels a second of cameras in other processes, which share the encoder

    def level(self, name: str, width: int, height: int, fps: int, hardware: bool = False) -> Level:
        """Returns how to encode the camera `name`; `hardware`: the board has an encoder, used while it works for it."""
        levels = self._levels(name, width, height, fps, hardware)
        key = name, fps, levels
        with self._lock:
            if key not in self._steps:
                self._steps[key] = self._first(levels, fps)
            return levels[self._steps[key]]

    def lower(self, name: str, width: int, height: int, fps: int, hardware: bool = False) -> bool:
        """Goes one level down, because the encoder does not keep up. Returns False on the lowest level."""
        levels = self._levels(name, width, height, fps, hardware)
        key = name, fps, levels
        with self._lock:
            step = self._steps.get(key, 0) + 1
            if step >= len(levels):
                return False
            self._steps[key] = step
            return True

    def hardware_failed(self, name: str) -> None:
        """Notes that the board's encoder did not start for this camera, or stopped."""
        self._failures_n[name] += 1

    def hardware_works(self, name: str) -> bool:
        """Whether to try the board's encoder: after some failures, x264 is better than no video."""
        return self._failures_n[name] < HARDWARE_TRIES_N

    def _levels(self, name: str, width: int, height: int, fps: int, hardware: bool) -> tuple[Level, ...]:
        if hardware and self.hardware_works(name):
            return headroom.hardware_ladder(width, height, fps, self.others)
        return headroom.ladder(width, height)

    def _first(self, levels: tuple[Level, ...], fps: int) -> int:
        if levels[0].encoder == headroom.HARDWARE:
            return 0
        return headroom.first_fit(levels, fps, os.cpu_count() or 1, self._cost_s)


class _Costs(dict[str, float]):
    """The cost of each preset, measured at its first use; most processes use only one."""

    def __missing__(self, preset: str) -> float:
        self[preset] = cost_s = measure(preset)
        return cost_s


HEADROOM = Headroom()


class Effort:
    """Measures the share of time that an encoder works: `with effort:` around each picture, in one thread."""

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._frames_n, self._busy_s, self._began_s = 0, 0.0, 0.0
        self._window: tuple[float, int, float] | None = None    # its begin, and the counts then

    def __enter__(self) -> None:
        self._began_s = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._busy_s += time.perf_counter() - self._began_s
        self._frames_n += 1

    def falls_behind(self, now_mono_s: float) -> bool:
        """Whether the encoder fell behind in the window that ends now; False during a window. One thread may ask."""
        frames_n, busy_s = self._frames_n, self._busy_s
        if self._window is None:
            self._window = now_mono_s, frames_n, busy_s
        began_mono_s, before_n, before_s = self._window
        if now_mono_s - began_mono_s < WINDOW_S:
            return False
        self._window = now_mono_s, frames_n, busy_s
        work = EncodingWork(now_mono_s - began_mono_s, busy_s - before_s, frames_n - before_n)
        return headroom.falls_behind(work, self._fps)


def measure(preset: str) -> float:
    """Returns the CPU seconds that x264 needs here per million pixels with this preset; takes about 0.1 s of CPU."""
    encoder = SoftwareEncoder(*MEASURE_SIZE, MEASURE_FPS, MEASURE_KBPS, preset, threads_n=1)
    spent_s = 0.0
    for number, frame in enumerate(_scene(), 1):
        began_s = time.thread_time()
        encoder.encode(frame, number * 1_000_000 // MEASURE_FPS)
        spent_s += time.thread_time() - began_s
        if number >= MEASURE_FRAMES_MIN_N and spent_s >= MEASURE_CPU_S:
            break
    return spent_s / number / (MEASURE_SIZE[0] * MEASURE_SIZE[1] / 1e6)


def _scene() -> Iterator[av.VideoFrame]:
    """A camera that pans over a coarse pattern, with a sensor's noise: x264 needs as long as for a real yard."""
    width, height = MEASURE_SIZE
    wall = _random(height // 16 + 9, width // 16 + 13, 40, 200).repeat(16, 0).repeat(16, 1)
    noise = _random(height + 64, width + 64, 0, 6)
    frame = av.VideoFrame(width, height, "yuv420p")
    y, u, v = planes(frame)
    u[:] = v[:] = 128
    for number in range(MEASURE_FRAMES_MAX_N):
        down, right = 2 * number, 3 * number
        np.add(wall[down:down + height, right:right + width],
               noise[number * 37 % 64:, number * 53 % 64:][:height, :width], out=y)
        yield frame


def _random(tall: int, wide: int, low: int, high: int) -> np.ndarray:
    """Returns repeatable numbers from low to high - 1, by Python's generator: NumPy's would stay in memory."""
    drawn = np.frombuffer(random.Random(7).randbytes(tall * wide), np.uint8).reshape(tall, wide)
    return (low + drawn.astype(np.uint16) * (high - low) // 256).astype(np.uint8)
