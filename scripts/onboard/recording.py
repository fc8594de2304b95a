"""Records with the recorder's own source for a while, and keeps what there is to say of it."""
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import av
import numpy as np

from agent.cameras import SourceError
from agent.cameras.picamera import PicameraSource
from agent.config.settings import Camera
from agent.config.source import parse_source
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import SystemClock
from agent.host.stop import Stop

LUMA_PERIOD_S = 0.2
OPEN_WITHIN_S = 30.0


@dataclass
class Recording:
    """A sink that remembers. Times are seconds on the device's clock."""

    stop: Stop
    enough_n: int                                       # ends the run after this many packets
    infos: list[StreamInfo] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)
    lumas: list[Luma] = field(default_factory=list)     # without their pictures
    means: list[float] = field(default_factory=list)    # brightness of each
    last_y: np.ndarray | None = None
    cpu_s: float = 0.0                                  # of this process, between the first packet and the last
    _clock: SystemClock = field(default_factory=SystemClock)
    _cpu_began_s: float = 0.0

    def stream(self, info: StreamInfo) -> None:
        """What encodes, and how large."""
        self.infos.append(info)

    def packet(self, packet: Packet) -> None:
        """The next one, as it comes."""
        now_cpu_s = time.process_time()
        self._cpu_began_s = self._cpu_began_s or now_cpu_s
        self.cpu_s = now_cpu_s - self._cpu_began_s
        self.packets.append(packet)
        self.came_s.append(self._clock.mono_s())
        if len(self.packets) >= self.enough_n:
            self.stop.set()

    def wants_main_luma(self) -> bool:
        """Motion looks at this camera's small pictures."""
        return True

    def wants_luma(self, mono_s: float) -> bool:
        """Five times a second, as motion does."""
        return not self.lumas or mono_s - self.lumas[-1].mono_s >= LUMA_PERIOD_S

    def luma(self, picture: Luma) -> None:
        """The numbers that came with the picture, and the picture itself if it is the last."""
        self.last_y = picture.y.copy()
        self.means.append(float(picture.y.mean()))
        self.lumas.append(picture)

    @property
    def media_s(self) -> float:
        """From the first frame to the last, by the sensor's clock."""
        return (self.packets[-1].pts_us - self.packets[0].pts_us) / 1e6

    def steps_s(self) -> np.ndarray:
        """Times between frames."""
        return np.diff([packet.pts_us for packet in self.packets]) / 1e6

    def gops_s(self) -> np.ndarray:
        """Times between keyframes."""
        return np.diff([packet.pts_us for packet in self.packets if packet.key]) / 1e6

    def decoded(self) -> list[av.VideoFrame]:
        """Every frame that the packets decode to."""
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = self.infos[-1].config
        encoded = [av.Packet(packet.data) for packet in self.packets]
        return [frame for each in [*encoded, None] for frame in decoder.decode(each)]


def record(camera: Camera, seconds: float, enough_n: int = 1 << 30,
           meanwhile: Callable[[PicameraSource], None] = lambda _: None) -> Recording:
    """Record from the first packet on for `seconds`, or until enough packets came. Raises SourceError.

    `meanwhile` is called in the middle of the time, in another thread.
    """
    stop = Stop()
    seen = Recording(stop, enough_n)
    source = PicameraSource(camera, int(parse_source(camera.source).target), SystemClock())

    def wait() -> None:
        end_s = time.monotonic() + OPEN_WITHIN_S
        while not seen.packets and time.monotonic() < end_s and not stop.wait(0.05):
            pass
        if not stop.wait(seconds / 2):
            meanwhile(source)
        stop.wait(seconds / 2)
        stop.set()

    timer = threading.Thread(target=wait, daemon=True)
    timer.start()
    try:
        source.run(seen, stop)
    finally:
        stop.set()
        timer.join()
    if not seen.packets or (not seen.lumas and len(seen.packets) > camera.fps):
        raise SourceError("camera_no_frames", "no picture came" + (" for motion" if seen.packets else ""))
    return seen


def open_files_n() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))
