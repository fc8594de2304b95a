"""What our V4L2 source does with the kernel's test camera and its faults; runs in the guest of vivid_machine.py.

Prints one line of JSON: what was seen, by scenario.
"""
import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from agent.cameras import SourceError
from agent.cameras.v4l2 import V4l2Source
from agent.cameras.videodev import VideoDevice
from agent.capture.pump import Counts, Pump
from agent.capture.writer_jobs import CameraGap
from agent.config.settings import Camera
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs.wait import HANG_S, until

DEVICE = "/dev/video0"
LINK = Path("/run/by-id")
NODES, DRIVER = Path("/sys/class/video4linux"), Path("/sys/bus/platform/drivers/vivid")
LONGEST_S = 60.0            # a run without pictures, by the clock
CAMERA = Camera(name="gate", source=f"v4l2:{DEVICE}", width=320, height=180, fps=10,
                masks=[[(0, 0), (0.5, 0), (0.5, 1), (0, 1)]])


class Keeper:
    """A sink that keeps packets and tells once when the first has come."""

    def __init__(self, at_first: Callable[[], None] = lambda: None, stop: Stop | None = None,
                 media_s: float = 0) -> None:
        """`stop` is set once there are pictures of `media_s`."""
        self.infos: list[StreamInfo] = []
        self.packets: list[Packet] = []
        self.lumas_n, self.masked_max, self.open_mean = 0, 0, 0.0       # of the pictures' masked and open halves
        self._at_first, self._stop, self._media_s = at_first, stop, media_s

    def stream(self, info: StreamInfo) -> None:
        self.infos.append(info)

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)
        if len(self.packets) == 5:
            threading.Thread(target=self._at_first, daemon=True).start()
        if self._stop is not None and packet.pts_us - self.packets[0].pts_us >= self._media_s * 1e6:
            self._stop.set()

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """A camera without a microphone never calls it."""

    def sound(self, sound: Sound) -> None:
        """Nor this."""

    def end_run(self) -> float | None:
        return None

    def gap(self, gap: CameraGap) -> None:
        """The pump tells the fault."""

    def wants_main_luma(self) -> bool:
        return True

    def wants_luma(self, mono_s: float) -> bool:
        return self.lumas_n < len(self.packets) / 2

    def luma(self, picture: Luma) -> None:
        half = picture.y.shape[1] // 2
        self.lumas_n += 1
        self.masked_max = max(self.masked_max, int(picture.y[:, :half].max()))
        self.open_mean = float(picture.y[:, half + 8:].mean())


def press(*controls: str) -> None:
    """Set controls of the test driver, as in "percentage_of_dropped_buffers=100"."""
    subprocess.run(["v4l2-ctl", "-d", DEVICE, *(f"--set-ctrl={control}" for control in controls)], check=True)


def attempt(seconds: float, *faults: str) -> dict[str, Any]:
    """One run of the source for so long by the pictures' own times; the faults come after some pictures.

    An emulated machine beside many others is slow, and by its clock a run would end before there is anything to see.
    """
    stop = Stop()
    sink = Keeper(lambda: press(*faults) if faults else None, stop, seconds)
    timer = threading.Timer(LONGEST_S, stop.set)
    timer.start()
    began_s, told = time.monotonic(), {"code": None, "text": ""}
    try:
        V4l2Source(CAMERA, DEVICE, SystemClock()).run(sink, stop)
    except SourceError as error:
        told = {"code": error.code, "text": str(error)}
    timer.cancel()
    took_s, now_s = time.monotonic() - began_s, time.clock_gettime(time.CLOCK_MONOTONIC)
    times = [packet.pts_us for packet in sink.packets]
    steps_us = [after - before for before, after in zip(times, times[1:], strict=False)]
    return {**told, "took_s": took_s, "packets": len(times), "step_s": statistics.median(steps_us or [0]) / 1e6,
            "decoded": decoded(sink), "size": [(info.width, info.height) for info in sink.infos], "lumas": sink.lumas_n,
            "masked_max": sink.masked_max, "open_mean": sink.open_mean,
            "media_s": (times[-1] - times[0]) / 1e6 if times else 0,
            "age_s": now_s - times[-1] / 1e6 if times else None}


def decoded(sink: Keeper) -> int:
    """How many frames the packets decode to."""
    if not sink.infos:
        return 0
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = sink.infos[0].config
    return sum(len(decoder.decode(packet)) for packet in [*(av.Packet(one.data) for one in sink.packets), None])


def taken() -> dict[str, Any]:
    """While another program records from the camera."""
    other = VideoDevice(DEVICE)
    other.start("YUYV", 320, 180, 10)
    try:
        return attempt(10)
    finally:
        other.close()


def replugged() -> dict[str, Any]:
    """Unplugged while it records, and plugged in under another number; udev's link by its id leads to it."""
    LINK.symlink_to(DEVICE)
    sink, stop, old = Keeper(), Stop(), os.open(DEVICE, os.O_RDWR)     # whose number stays taken
    pump = Pump("gate", lambda: V4l2Source(CAMERA, str(LINK), SystemClock()), sink, SystemClock(), stop,
                stuck=stop.set, counts=Counts())
    pump.start()
    until(lambda: len(sink.packets) > 5)
    DRIVER.joinpath("unbind").write_text("vivid.0")
    LINK.unlink()
    until(pump.state.current_gap)
    gap, before_n = pump.state.current_gap(), len(sink.packets)
    DRIVER.joinpath("bind").write_text("vivid.0")
    LINK.symlink_to(camera())
    began_s = time.monotonic()
    until(lambda: len(sink.packets) > before_n + 5)
    back_s = time.monotonic() - began_s
    stop.set()
    pump.join(HANG_S)
    os.close(old)
    return {"code": gap.code, "text": gap.detail, "node": str(LINK.readlink()), "back_s": back_s,
            "over": pump.state.over}


def camera() -> Path:
    """The node of the driver's camera, by its name as udev would find it."""
    return next(Path("/dev", entry.name) for entry in sorted(NODES.iterdir())
                if entry.joinpath("name").read_text().endswith("vid-cap\n"))


def main() -> None:
    """All scenarios, and last the one after which the camera has another number."""
    saw = {"records": attempt(4), "spoilt": attempt(4, "inject_v4l2_buf_flag_error=1"), "taken": taken()}
    press("inject_vidioc_streamon_error=1")
    saw["refuses"] = attempt(10)
    saw["silent"] = attempt(30, "percentage_of_dropped_buffers=100")
    press("percentage_of_dropped_buffers=0")
    saw["again"] = attempt(2)
    saw["fails"] = attempt(30, "inject_fatal_streaming_error=1")
    saw["files_n"] = len(os.listdir("/proc/self/fd"))
    saw["replugged"] = replugged()
    print(json.dumps(saw), flush=True)


if __name__ == "__main__":
    main()
