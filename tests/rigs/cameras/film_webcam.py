"""A webcam for tests: a film plays it in the place of the kernel's device, and a sink keeps what comes of it."""
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from agent.cameras.v4l2 import V4l2Source
from agent.cameras.videodev import DeviceFormat, GrabbedFrame
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.board import Board
from agent.host.stop import Stop
from tests.rigs.cameras import footage

SIZE = (640, 360)
SOFTWARE = Board(model=None, ram_b=4 << 30, serial=None, encoder=None)


@dataclass
class Keeper:
    """A sink that keeps everything."""

    wants: bool = True
    infos: list[StreamInfo] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    lumas: list[np.ndarray] = field(default_factory=list)

    def stream(self, info: StreamInfo) -> None:
        self.infos.append(info)

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)

    def wants_main_luma(self) -> bool:
        return self.wants

    def wants_luma(self, mono_s: float) -> bool:
        return len(self.lumas) < mono_s * 5

    def luma(self, picture: Luma) -> None:
        self.lumas.append(picture.y.copy())


def jpeg_pictures() -> Iterator[bytes]:
    """The footage as JPEGs."""
    with av.open(str(footage.clip(*SIZE, 15, 30, 8000, codec="mjpeg", seconds=8))) as container:
        yield from (bytes(packet) for packet in container.demux(video=0) if packet.size)


def h264_pictures() -> Iterator[bytes]:
    """The footage as a camera's own H.264, Annex B."""
    with av.open(str(footage.clip(*SIZE, 15, 30, 1000, seconds=8))) as container:
        stream = container.streams.video[0]
        to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            if packet.size:
                yield from map(bytes, to_annex_b.filter(packet))


def raw_pictures(name: str, padding_b: int) -> Iterator[bytes]:
    """The footage as plain pictures in libav's format of this name, each row padded."""
    for picture in footage.frames(*SIZE, footage.clip(*SIZE, 15, 30, 1000, seconds=8)):
        rows = av.VideoFrame.from_ndarray(picture, format="yuv420p").reformat(format=name).to_ndarray()
        rows = rows.reshape(len(rows), -1)
        yield np.pad(rows, ((0, 0), (0, padding_b))).tobytes()


FILMS = {"MJPG": jpeg_pictures, "H264": h264_pictures, "YUYV": lambda: raw_pictures("yuyv422", 64),
         "NV12": lambda: raw_pictures("nv12", 32)}
ROWS = {"YUYV": 2 * SIZE[0] + 64, "NV12": SIZE[0] + 32, "MJPG": 0, "H264": 0}


class FilmCamera:
    """Plays a film as a device of 15 pictures a second would, on a clock of its own; then does what `after` says:
    "stop" the source, give "nothing" any more, or raise the OSError of this number.
    """

    def __init__(self, fourcc: str, stop: Stop, after: int | str = "stop", offered: list[str] | None = None) -> None:
        self.offers, self._stop, self._after = offered or [fourcc], stop, after
        self.mono, self.closed_n = 0.0, 0
        self.spoil: set[int] = set()

    def __call__(self, path: str) -> "FilmCamera":
        return self

    def mono_s(self) -> float:
        return self.mono

    def offered(self) -> list[str]:
        return self.offers

    def start(self, fourcc: str, width: int, height: int, fps: int) -> DeviceFormat:
        self.film = enumerate(FILMS[fourcc]())
        return DeviceFormat(fourcc, *SIZE, ROWS[fourcc])

    def grab(self, wait_s: float) -> GrabbedFrame | None:
        number, picture = next(self.film, (0, b""))
        if picture:
            self.mono += 1 / 15
            return GrabbedFrame(picture[:200] if number in self.spoil else picture, int(self.mono * 1e6))
        if self._after == "stop":
            self._stop.set()
        elif isinstance(self._after, int):
            raise OSError(self._after, os.strerror(self._after))
        self.mono += wait_s
        return None

    def close(self) -> None:
        self.closed_n += 1


def play(film: FilmCamera, stop: Stop, sink: Keeper, machine: Board = SOFTWARE, **settings: Any) -> None:
    """Run the source on this board until the film says stop. What the source raises goes through."""
    size = {"width": SIZE[0], "height": SIZE[1], "fps": 15}
    camera = Camera(name="gate", source="v4l2:/dev/video0", **size, **settings)
    V4l2Source(camera, "/dev/video0", film, film, machine).run(sink, stop)


def decoded(sink: Keeper) -> np.ndarray:
    """The brightness of every frame that the packets decode to."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = sink.infos[0].config
    packets = [*(av.Packet(packet.data) for packet in sink.packets), None]
    return np.array([frame.to_ndarray(format="yuv420p")[:frame.height]
                     for packet in packets for frame in decoder.decode(packet)])
