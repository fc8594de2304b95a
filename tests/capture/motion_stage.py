"""A camera's real pipe and recorder, films as a camera sends them, and a clock that goes on with the film."""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av

from agent.capture.clip_rows import ClipRules
from agent.capture.main_decoder import Decoder, MainDecoder
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.config.settings import Camera
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Look
from agent.host.datagram import Outlet
from agent.host.luma import luma_of
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import encoded
from tests.rigs.wait import HANG_S
from tests.scenes import Walk, noise, pictures

FPS, GOP = 10, 20
GOP_S = GOP / FPS
BEGIN_MONO_S = HandClock().mono

VISITOR = Walk(start_s=20.6, stop_s=26)     # comes between two keyframes

Film = tuple[StreamInfo, Sequence[Packet]]


def film(seconds: float, *happenings, gop: int = GOP) -> Film:
    """A scene as a camera sends it."""
    frames = (av.VideoFrame.from_ndarray(luma.y, "gray").reformat(format="yuv420p")
              for luma in pictures(seconds, FPS, *happenings, noise(1.5)))
    return encoded(frames, FPS, gop, b="300k", maxrate="450k", bufsize="600k")


class NotingPipe(Pipe):
    """The real pipe, and which pictures its detector got, and said of them."""

    def __init__(self, *parts) -> None:
        super().__init__(*parts)
        self.seen: list[tuple[float, Look]] = []
        self.shapes: set[tuple[int, ...]] = set()

    def luma(self, picture: Luma) -> Look:
        look = super().luma(picture)
        self.seen.append((picture.mono_s - BEGIN_MONO_S, look))
        self.shapes.add(picture.y.shape)
        return look

    def moving_s(self) -> list[float]:
        """When something moved, in seconds of the film."""
        return [at_s for at_s, look in self.seen if look.moving]


@dataclass
class Stage:
    """A camera's pipe with its real recorder, and time that goes on with the film."""

    folders: Folders
    clock: HandClock
    place: Path
    lives: list[LiveSocket] = field(default_factory=list)
    recorders: list[Recorder] = field(default_factory=list)

    def pipe(self, has_sub: bool = False, **keys) -> NotingPipe:
        """Another camera with these settings."""
        name = f"gate-{len(self.lives)}"
        camera = Camera(name=name, source="rtsp://h/1", sub="rtsp://h/2" if has_sub else "", **keys)
        self.lives.append(LiveSocket(self.place / f"{name}.sock"))
        self.recorders.append(Recorder(name, self.folders, self.clock, Outlet(self.place),
                                       ClipRules(1, camera.pre_roll_s)))
        self.recorders[-1].start()
        return NotingPipe(camera, self.recorders[-1], self.lives[-1], self.clock)

    def coming(self, packets: Sequence[Packet]) -> Iterator[Packet]:
        """The film's packets, each at its time."""
        for packet in packets:
            self.clock.mono = BEGIN_MONO_S + packet.dts_us / 1e6
            yield packet

    def watched(self, shown: Film, pipe: Pipe) -> list[int]:
        """Show it to a decoder that is never late; the packets that it decoded as each one came."""
        decoder = MainDecoder(shown[0], pipe, BEGIN_MONO_S)
        decoded = []
        pipe.stream(shown[0])
        for packet in self.coming(shown[1]):
            pipe.packet(packet)
            decoder.offer(packet, self.clock.mono)
            decoded.append(sum(iter(decoder.step, False)))
        return decoded

    def finish(self) -> None:
        for live in self.lives:
            live.close()
        for recorder in self.recorders:
            recorder.finish(HANG_S)


def in_full(pipe: NotingPipe, shown: Film, clock: HandClock) -> list[float]:
    """Show it to a pipe with every packet decoded; when something moved, in seconds of the film."""
    decoder = Decoder(shown[0])
    for packet in shown[1]:
        clock.mono = BEGIN_MONO_S + packet.dts_us / 1e6
        picture = decoder.decode(packet)
        if picture is not None and pipe.wants_luma(clock.mono):
            pipe.luma(luma_of(picture, clock.mono))
    return pipe.moving_s()
