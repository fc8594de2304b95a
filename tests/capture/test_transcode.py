"""Masks for video that arrives encoded: black wherever it comes out, untouched elsewhere, and never the original."""
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cameras import Sink, SourceError
from agent.cameras.file import FileSource
from agent.cameras.masks import MaskOverlay, Masks
from agent.cameras.transcode import PACKETS_MAX, MaskTranscoder, WorkQueue
from agent.config.settings import Camera
from agent.core.contract.live import Parser
from agent.core.media.model import Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import SystemClock
from agent.host.meter import Rate
from agent.host.runtime import camera_socket
from agent.host.stop import Stop
from tests.capture.conftest import Rig
from tests.capture.visitor import ask
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until

HIDDEN = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
INSIDE, OUTSIDE = slice(0.27, 0.73), slice(0.02, 0.22)          # shares of the picture: well in, well out
CAMERA = Camera(name="gate", source="file:/film.mp4", masks=[HIDDEN], privacy_mask="transcode")


def part(plane: np.ndarray, where: slice) -> np.ndarray:
    """The square `where` of a plane, in shares of its sides."""
    (high, wide) = plane.shape[:2]
    return plane[int(where.start * high):int(where.stop * high), int(where.start * wide):int(where.stop * wide)]


def is_hidden(y: np.ndarray, u: np.ndarray | None = None, v: np.ndarray | None = None) -> bool:
    """Whether the inside is black and without colour, give or take what an encoder does, and the outside is alive."""
    chroma = [np.abs(part(plane, INSIDE).astype(int) - 128).max() <= 3 for plane in (u, v) if plane is not None]
    return part(y, INSIDE).max() <= 20 and all(chroma) and part(y, OUTSIDE).std() > 5


def yuv(frame: av.VideoFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The planes of a picture."""
    data, (high, wide) = frame.reformat(format="yuv420p").to_ndarray(), (frame.height, frame.width)
    return data[:high], *data[high:].reshape(2, high // 2, wide // 2)


def pictures(info: StreamInfo, packets: Sequence[Packet]) -> list[av.VideoFrame]:
    """All pictures of some packets."""
    decoder = av.CodecContext.create(info.codec, "r")
    decoder.extradata = info.config
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    return [*frames, *decoder.decode(None)]


class Keeper:
    """A sink that keeps everything, and lets motion look all the time."""

    def __init__(self, on_packet: Callable[[], Any] = lambda: None) -> None:
        self.info: StreamInfo | None = None
        self.packets: list[Packet] = []
        self.lumas: list[np.ndarray] = []
        self.order: list[str] = []
        self._on_packet = on_packet

    def stream(self, info: StreamInfo) -> None:
        self.info = info
        self.order.append(f"{info.width}x{info.height}")

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)
        self.order.append("picture")
        self._on_packet()

    def audio(self, info: Any, unsupported: str = "") -> None:
        self.order.append("format of sound")

    def sound(self, sound: Sound) -> None:
        self.order.append("sound")

    def wants_luma(self, mono_s: float) -> bool:
        return True

    def wants_main_luma(self) -> bool:
        return True

    def luma(self, picture: Luma) -> None:
        self.lumas.append(picture.y.copy())


class Script:
    """An inner source that hands out what it is told, at once, and looks for its stop in between."""

    def __init__(self, *steps: Callable[[Sink], Any], error: SourceError | None = None) -> None:
        self._steps, self._error = steps, error

    def run(self, sink: Sink, stop: Stop) -> None:
        for step in self._steps:
            step(sink)
        if self._error is not None:
            raise self._error


def film(kind: tuple[StreamInfo, Sequence[Packet]], count: int | None = None,
         from_us: int = 0) -> list[Callable[[Sink], Any]]:
    """The steps that hand out a film, from a time on."""
    info, packets = kind
    moved = [replace(each, pts_us=each.pts_us + from_us, dts_us=each.dts_us + from_us) for each in packets[:count]]
    return [lambda sink: sink.stream(info), *((lambda sink, each=each: sink.packet(each)) for each in moved)]


def transcode(inner: Any, keeper: Keeper, stop: Stop | None = None) -> Keeper:
    """One attempt, to its end."""
    MaskTranscoder(inner, CAMERA, SystemClock(), Rate()).run(keeper, stop or Stop())
    return keeper


@pytest.mark.parametrize("shape", [{}, {"b_frames": 2}, {"codec": "h265"}])
def test_every_packet_and_every_luma_is_masked_and_the_rest_is_the_film(shape: dict[str, Any]):
    path = footage.clip(640, 360, 15, 30, 1500, seconds=2, **shape)
    seen = transcode(FileSource(path, SystemClock()), Keeper())
    shown = pictures(seen.info, seen.packets)
    with av.open(str(path)) as container:
        originals = list(container.decode(video=0))
    assert len(shown) == len(seen.packets) == len(seen.lumas) == len(originals) == 30
    assert all(is_hidden(*yuv(frame)) for frame in shown) and all(is_hidden(y) for y in seen.lumas)
    for ours, theirs in zip(shown, originals, strict=True):
        off = [np.abs(part(a, OUTSIDE).astype(int) - part(b, OUTSIDE)).mean()
               for a, b in zip(yuv(ours), yuv(theirs), strict=True)]
        assert max(off) < 6
    times = np.diff([packet.pts_us for packet in seen.packets])
    assert (np.abs(times - 66_667) < 2).all() and [n for n, each in enumerate(seen.packets) if each.key] == [0]


def test_masks_are_in_the_file_the_thumbnail_the_live_picture_and_the_snapshot(rig: Rig):
    """The whole camera, with a sub-stream that comes without masks."""
    main, sub = (footage.clip(*size, 10, 10, kbps) for size, kbps in (((640, 360), 1500), ((320, 180), 300)))
    rig.start(f"file:{main}", sub=f"file:{sub}", loop=True, masks=[HIDDEN], privacy_mask="transcode", pre_roll_s=1,
              post_roll_s=1, merge_gap_s=1, max_clip_s=10)
    lumas: list[np.ndarray] = []
    watched = rig.camera._pipe.watch._detector            # what motion is given, whoever gives it
    step = watched.step
    watched.step = lambda picture: (lumas.append(picture.y.copy()), step(picture))[1]

    path = camera_socket(rig.runtime, "snap", "gate")
    snapshot = until(lambda: (found := ask(path))[0].state == "ok" and found)[1]
    shot = cv2.imdecode(np.frombuffer(snapshot, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shot.shape == (360, 640) and is_hidden(shot)

    info, live = watch(camera_socket(rig.runtime, "live", "gate"), 5)
    assert info.codec == "h264" and all(is_hidden(*yuv(frame)) for frame in pictures(info, live))

    clip = until(rig.clips)[0]
    with av.open(str(rig.folders.clip(clip.seq, clip.name))) as container:
        assert all(is_hidden(*yuv(frame)) for frame in container.decode(video=0))
    event = until(lambda: [each for each in rig.events() if each.thumb])[0]
    thumb = cv2.imread(str(rig.folders.thumbs / event.thumb), cv2.IMREAD_GRAYSCALE)
    assert is_hidden(thumb)
    assert lumas and all(y.shape == (180, 320) and is_hidden(y) for y in lumas)     # motion looks at the small stream
    until(lambda: abs((rig.facts().fps_set or 0) - 10) < 3, "what comes of the camera is what health compares with")
    assert rig.facts().dropped_n == 0


def watch(path: Path, packets_n: int) -> tuple[StreamInfo, list[Packet]]:
    """So many packets from the live socket, and their format."""
    parser, found = Parser(), []
    with socket.socket(socket.AF_UNIX) as viewer:
        viewer.settimeout(HANG_S)
        viewer.connect(str(path))
        while len(found) <= packets_n:
            found += parser.feed(viewer.recv(65536))
    return found[0], found[1:]


def test_a_picture_that_cannot_be_painted_is_not_handed_on(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise ValueError("no paint")
    monkeypatch.setattr(Masks, "paint", fail)
    seen = Keeper()
    with pytest.raises(ValueError, match="no paint"):
        transcode(Script(*film(movie())), seen)
    assert not seen.packets and not seen.lumas


def test_a_picture_of_the_inner_source_ends_here():
    original = Luma(np.full((90, 160), 200, np.uint8), 0.0)
    seen = Keeper()
    transcode(Script(lambda sink: sink.luma(original), *film(movie(), 3)), seen)
    assert len(seen.lumas) == 3 and not MaskTranscoder(Script(), CAMERA, SystemClock(), Rate()).wants_luma(0)


def test_what_a_camera_sent_before_it_broke_off_is_kept_and_its_error_told():
    seen = Keeper()
    with pytest.raises(SourceError, match="gone"):
        transcode(Script(*film(movie()), error=SourceError("camera_no_frames", "gone")), seen)
    assert len(seen.packets) == len(movie()[1])


def test_a_machine_that_is_too_slow_loses_the_ends_of_gops_counted_and_told(caplog: pytest.LogCaptureFixture):
    held, came = threading.Event(), Rate()
    long = movie(seconds=16, fps=10, gop=10)
    source = MaskTranscoder(Script(*film(long), lambda sink: held.set()), CAMERA, SystemClock(), came)
    seen = Keeper(lambda: held.wait(HANG_S))
    with caplog.at_level(logging.WARNING):
        source.run(seen, Stop())
    assert source.dropped_n > 0 and len(seen.packets) == len(long[1]) - source.dropped_n and came.total == len(long[1])
    assert any(message.startswith("gate: this machine is too slow") for message in caplog.messages)
    assert len(pictures(seen.info, seen.packets)) == len(seen.packets)


def test_another_format_and_a_clock_that_fell_back_begin_anew():
    small, large = movie(seconds=1), movie(seconds=1, size=(640, 360))
    back = film(small, from_us=-3_600_000_000)
    seen = transcode(Script(*film(small), *film(large, from_us=2_000_000), *back), Keeper())
    assert seen.order == ["320x180", *["picture"] * 10, "640x360", *["picture"] * 10, "320x180", *["picture"] * 10]
    assert seen.packets[20].key and seen.packets[20].pts_us == -3_600_000_000


def test_sound_keeps_its_place_among_the_pictures():
    sound = Sound(b"\0" * 160, 0, 160)
    steps = film(movie(), 3)
    script = Script(lambda sink: sink.audio(None), *steps[:2], lambda sink: sink.sound(sound), *steps[2:])
    seen = transcode(script, Keeper())
    assert seen.order == ["format of sound", "320x180", "picture", "sound", "picture", "picture"]


def test_a_stop_ends_the_inner_source_soon(tmp_path: Path):
    stop = Stop()
    seen = Keeper(stop.set)
    transcode(FileSource(footage.clip(320, 180, 10, 10, 300, seconds=4), SystemClock(), loop=True), seen, stop)
    assert 1 <= len(seen.packets) < 40


def test_full_range_and_odd_sizes_come_out_as_video_is(tmp_path: Path):
    path = tmp_path / "odd.mp4"
    grey = np.full((181, 321), 255, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 321, 181, "yuvj444p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuvj444p")))
        container.mux(stream.encode(None))
    seen = transcode(FileSource(path, SystemClock()), Keeper())
    y, u, v = yuv(pictures(seen.info, seen.packets)[0])
    assert y.shape == (180, 320) and part(y, INSIDE).max() <= 20 and abs(int(part(y, OUTSIDE).mean()) - 235) <= 3


class Load:
    """How many packets of a GOP come through a backlog that is emptied now and then."""

    def __init__(self) -> None:
        self.queue, self.kept = WorkQueue(), list[tuple[int, int]]()

    def put(self, gop: int, number: int) -> bool:
        return self.queue.packet(lambda: self.kept.append((gop, number)), 10, number == 0)

    def take(self, count: int) -> None:
        for _ in range(count):
            work = self.queue.next(0)
            if work is not None:
                work()


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), max_size=30))
def test_what_comes_through_a_full_backlog_can_be_decoded(rounds: list[tuple[int, int]]):
    load, refused_n = Load(), 0
    for gop, (length, taken) in enumerate(rounds):
        refused_n += sum(not load.put(gop, number) for number in range(length))
        load.take(taken)
    load.take(PACKETS_MAX + 1)
    assert len(load.kept) + refused_n == sum(length for length, _ in rounds)
    for gop in {gop for gop, _ in load.kept}:
        numbers = [number for kept, number in load.kept if kept == gop]
        assert numbers == list(range(len(numbers)))


def test_a_veil_covers_a_copy():
    luma = Luma(np.full((90, 160), 200, np.uint8), 0.0)
    assert is_hidden_grey(MaskOverlay([HIDDEN]).over(luma).y) and (luma.plane == 200).all()
    assert MaskOverlay([]).over(luma) is luma


def is_hidden_grey(y: np.ndarray) -> bool:
    return part(y, INSIDE).max() == 16 and part(y, OUTSIDE).min() == 200
