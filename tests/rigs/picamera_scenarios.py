"""What the real picamera2 does under our source, one scenario a process: prints what it saw as one line of JSON.

    picamera_scenarios.py NAME          run in the interpreter of picamera_venv.py; hangs are for the caller to end
"""
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from agent.capture.source import SourceError
from agent.capture.source.picamera import PicameraSource
from agent.config.settings import Camera
from agent.core.model import Luma, Packet, StreamInfo
from agent.host.board import Board
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs import footage, virtualcam

FPS = 15
SOFTWARE = Board(model=None, ram_b=4 << 30, serial=None, encoder=None)
HIDDEN = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]


class Keeper:
    """A sink that keeps everything and wants five pictures a second."""

    def __init__(self) -> None:
        self.infos: list[StreamInfo] = []
        self.packets: list[Packet] = []
        self.lumas: list[Luma] = []
        self.threads: set[str] = set()
        self._next_luma_mono_s = 0.0

    def stream(self, info: StreamInfo) -> None:
        self.infos.append(info)

    def packet(self, packet: Packet) -> None:
        self.threads.add(threading.current_thread().name)
        self.packets.append(packet)

    def wants_main_luma(self) -> bool:
        return True

    def wants_luma(self, mono_s: float) -> bool:
        return mono_s >= self._next_luma_mono_s

    def luma(self, picture: Luma) -> None:
        self.threads.add(threading.current_thread().name)
        self._next_luma_mono_s = picture.mono_s + 0.15
        self.lumas.append(Luma(picture.y.copy(), picture.mono_s, picture.exposure_us, picture.gain, picture.lux))


def camera(**settings: Any) -> Camera:
    """The settings of the camera under test."""
    return Camera(name="gate", source="picamera:0", **{"width": 640, "height": 360, "fps": FPS, **settings})


def run(sink: Keeper, seconds: float, source: PicameraSource | None = None, **settings: Any) -> PicameraSource:
    """Run the source for this long and stop it, as the process would. What the source raises goes through."""
    source = source or PicameraSource(camera(**settings), 0, SystemClock(), SOFTWARE)
    stop = Stop()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        source.run(sink, stop)
    finally:
        timer.cancel()
    return source


def decoded(sink: Keeper) -> list[np.ndarray]:
    """The brightness of every frame that the packets decode to."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = sink.infos[0].config
    packets = [av.Packet(packet.data) for packet in sink.packets]
    return [frame.to_ndarray(format="gray") for packet in [*packets, None] for frame in decoder.decode(packet)]


def show_footage(clock: virtualcam.SensorClock) -> None:
    """The sensor sees the surveillance footage instead of colour bars."""
    clip = footage.clip(640, 360, 10, 20, 1000, seconds=8)
    films = {size: [frame.ravel() for frame in footage.frames(*size, clip)] for size in ((640, 360), (320, 180))}
    clock.picture = lambda width, height, number: films[width, height][number % len(films[width, height])]


def records(clock: virtualcam.SensorClock) -> dict[str, Any]:
    """Six seconds of footage, opening included."""
    show_footage(clock)
    sink = Keeper()
    source = run(sink, 6)
    age_s = SystemClock().mono_s() - sink.packets[-1].pts_us / 1e6
    pts = np.array([packet.pts_us for packet in sink.packets])
    luma = sink.lumas[-1]
    frames = decoded(sink)
    return {"packets": len(pts), "decoded": len(frames), "lost": clock.dropped_n,
            "infos": [(info.codec, info.width, info.height) for info in sink.infos],
            "keys": [index for index, packet in enumerate(sink.packets) if packet.key],
            "monotone": bool((np.diff(pts) > 0).all()), "media_s": float(pts[-1] - pts[0]) / 1e6,
            "age_s": age_s, "dropped": source.dropped_n, "threads": sorted(sink.threads),
            "lumas": len(sink.lumas), "luma_shape": luma.y.shape,
            "metadata": (luma.exposure_us, luma.gain, luma.lux), "spread": float(frames[-1].std())}


def hides(clock: virtualcam.SensorClock) -> dict[str, Any]:
    """A privacy mask over the middle of the picture."""
    show_footage(clock)
    sink = Keeper()
    run(sink, 3, masks=[HIDDEN])
    frames, lumas = np.array(decoded(sink)), np.array([luma.y for luma in sink.lumas])

    def inside(pictures: np.ndarray) -> float:
        _, height, width = pictures.shape
        return float(pictures[:, height // 4:height * 3 // 4, width // 4:width * 3 // 4].max())

    return {"decoded": len(frames), "video": inside(frames), "luma": inside(lumas),
            "outside": float(frames[:, :frames.shape[1] // 5].mean()),
            "luma_outside": float(lumas[:, :lumas.shape[1] // 5].mean())}


def goes_blind(_: virtualcam.SensorClock) -> dict[str, Any]:
    """A frame that can't be masked: nothing may be handed on from then on."""
    from picamera2 import MappedArray
    sink, healthy, broken = Keeper(), MappedArray.__init__, threading.Event()

    def map_array(self: Any, *arguments: Any, **named: Any) -> None:
        if broken.is_set() and named.get("write"):       # our painting alone; the encoder goes on
            raise RuntimeError("failed to find buffer")
        healthy(self, *arguments, **named)

    MappedArray.__init__ = map_array
    threading.Timer(2, broken.set).start()
    told = failure(lambda: run(sink, 10, masks=[HIDDEN]))
    broken.clear()
    return {**told, "brightest": float(np.array(decoded(sink))[:, 100:260, 170:470].max()), **again()}


def failure(call: Callable[[], Any]) -> dict[str, Any]:
    """How the call ended, and after what time."""
    began_s = time.monotonic()
    try:
        call()
        told = {"error": None}
    except SourceError as error:
        told = {"error": type(error).__name__, "code": error.code, "text": str(error)}
    except Exception as error:
        told = {"error": type(error).__name__, "text": str(error)}
    return {**told, "took_s": time.monotonic() - began_s}


def again() -> dict[str, Any]:
    """Whether a fresh source works afterwards."""
    sink = Keeper()
    run(sink, 1)
    return {"packets_again": len(sink.packets)}


def stalls(clock: virtualcam.SensorClock) -> dict[str, Any]:
    """After two seconds no frame comes any more, and no error either."""
    sink = Keeper()
    threading.Timer(2, lambda: setattr(clock, "stalled", True)).start()
    told = failure(lambda: run(sink, 30))
    clock.stalled = False
    return {**told, "packets": len(sink.packets), **again()}


def meets_errors(clock: virtualcam.SensorClock) -> dict[str, Any]:
    """One second of spoilt frames in the middle."""
    sink = Keeper()
    for at_s, spoilt in ((2, True), (3, False)):
        threading.Timer(at_s, lambda spoilt=spoilt: setattr(clock, "error_frames", spoilt)).start()
    told = failure(lambda: run(sink, 5))
    steps = np.diff([packet.pts_us for packet in sink.packets])
    return {**told, "packets": len(sink.packets), "decoded": len(decoded(sink)),
            "longest_step_s": float(steps.max()) / 1e6}


def bad_sink(_: virtualcam.SensorClock) -> dict[str, Any]:
    """The sink breaks its promise and raises."""
    sink = Keeper()

    def raise_at_ten(packet: Packet) -> None:
        sink.packets.append(packet)
        if len(sink.packets) == 10:
            raise ZeroDivisionError("a bug in the sink")

    sink.packet = raise_at_ten
    return {**failure(lambda: run(sink, 10)), "packets": len(sink.packets), **again()}


def slow_sink(_: virtualcam.SensorClock) -> dict[str, Any]:
    """The sink sleeps for two seconds once; the camera must not wait for it."""
    sink, slept = Keeper(), []

    def sleep_once(packet: Packet) -> None:
        sink.packets.append(packet)
        if len(sink.packets) == 10:
            time.sleep(2)
            slept.append(1)

    sink.packet = sleep_once
    source = run(sink, 5)
    steps = np.diff([packet.pts_us for packet in sink.packets])
    return {"slept": len(slept), "longest_step_s": float(steps.max()) / 1e6, "dropped": source.dropped_n}


def no_encoder(_: virtualcam.SensorClock) -> dict[str, Any]:
    """The board tells of an encoder whose device can't be opened; twice, for the camera must be free again."""
    machine = Board(model=None, ram_b=416 << 20, serial=None, encoder=Path("/dev/video11"))
    tries = [failure(lambda: run(Keeper(), 5, PicameraSource(camera(), 0, SystemClock(), machine))) for _ in range(2)]
    return {"tries": tries, "threads": threading.active_count(), **again()}


def no_camera(_: virtualcam.SensorClock) -> dict[str, Any]:
    """A camera number that does not exist."""
    return failure(lambda: run(Keeper(), 5, PicameraSource(camera(), 3, SystemClock(), SOFTWARE)))


def in_use(_: virtualcam.SensorClock) -> dict[str, Any]:
    """Another user has the camera open."""
    from picamera2 import Picamera2
    other = Picamera2(0)
    told = failure(lambda: run(Keeper(), 5))
    other.close()
    return {**told, **again()}


def hangs(_: virtualcam.SensorClock) -> dict[str, Any]:
    """The camera does not come back from closing."""
    from picamera2 import Picamera2

    from agent.capture.source import picamera
    picamera.CLOSE_S = 1.0
    Picamera2.stop = lambda _: time.sleep(60)
    return failure(lambda: run(Keeper(), 2))


def reopens(_: virtualcam.SensorClock) -> dict[str, Any]:
    """Ten sessions one after the other."""
    opened, frames, threads = [], [], []
    for _ in range(10):
        sink = Keeper()
        run(sink, 0.6)
        frames.append(len(sink.packets))
        opened.append(len(os.listdir("/proc/self/fd")))
        threads.append(threading.active_count())
    return {"files": opened, "packets": frames, "threads": threads}


SCENARIOS = {call.__name__: call for call in (records, hides, goes_blind, stalls, meets_errors, bad_sink, slow_sink,
                                              no_encoder, no_camera, in_use, hangs, reopens)}


def main(name: str) -> None:
    """Run one scenario; the process ends at once, whatever the camera's threads do."""
    os.environ["LIBCAMERA_LOG_LEVELS"] = "*:FATAL"
    logging.basicConfig(level="WARNING")
    print(json.dumps(SCENARIOS[name](virtualcam.install())), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
