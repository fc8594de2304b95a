"""From a source to recorder, detector and viewers: who falls behind or falls silent costs no more than they must."""
import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from agent.cameras.demux import Packets
from agent.capture.clip_rows import ClipRules
from agent.capture.motion_feed import SubFeed
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.capture.writer_jobs import Block
from agent.config.settings import Camera
from agent.core.contract.live import Parser
from agent.core.media import nal
from agent.core.media.fragments import Fragmenter
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.datagram import Outlet
from agent.host.luma import luma_of
from agent.store import clips, events
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until
from tests.scenes import Walk, noise, pictures

INFO, MOVIE = movie()


@dataclass
class Yard:
    """A pipe with its real recorder, which works once it is told to, and its real live socket."""

    pipe: Pipe
    recorder: Recorder
    clock: HandClock
    frames_n: int = 0

    def see(self, seconds: float, walk: Walk | None = None) -> None:
        """Let time pass before the camera, 10 packets and 5 pictures a second, with somebody who walks or nobody."""
        for picture in pictures(seconds, 5, *([walk] if walk else []), noise(1.5)):
            for _ in range(2):
                at_us = self.frames_n * 100_000
                self.pipe.packet(replace(MOVIE[self.frames_n % len(MOVIE)], pts_us=at_us, dts_us=at_us))
                self.clock.advance(0.1)
                self.frames_n += 1
            self.pipe.luma(replace(picture, mono_s=self.clock.mono))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveSocket]:
    made = LiveSocket(tmp_path / "live.sock")
    yield made
    made.close()


@pytest.fixture
def recorder(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Recorder:
    return Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1, pre_roll_s=5))


@pytest.fixture
def yard(recorder: Recorder, live: LiveSocket, hand_clock: HandClock) -> Yard:
    pipe = Pipe(Camera(name="gate", source="rtsp://h/1"), recorder, live, hand_clock)
    pipe.stream(INFO)
    return Yard(pipe, recorder, hand_clock)


def fill(recorder: Recorder) -> None:
    """Leave no room for video in the queue of a recorder that does not work yet."""
    for size_b in (1_000_000, 10_000, 100, 1):
        while recorder.offer([Block(bytes(size_b))]):
            pass


def test_an_event_whose_video_the_queue_refused_is_kept_without_it(yard, db):
    yard.see(10)
    fill(yard.recorder)
    yard.see(8, Walk(start_s=4, stop_s=7))
    yard.see(12)
    yard.recorder.start()
    yard.recorder.finish(HANG_S)
    event, = events.latest(db)
    assert (event.state, event.clip) == ("done", None) and event.dur_ms > 1000
    assert yard.pipe.facts().dropped_n > 0


def test_a_clip_whose_rest_the_queue_refused_is_kept_up_to_there(yard, folders, db):
    yard.see(10)
    yard.see(8, Walk(start_s=4))
    fill(yard.recorder)
    yard.see(20)
    yard.recorder.start()
    yard.recorder.finish(HANG_S)
    event, = events.latest(db)
    clip, = clips.finished(db)
    assert (event.state, event.clip, clip.state) == ("done", clip.name, "recovered") and clip.dur_ms > 5000
    assert not clips.in_state(db, "open") and not list(folders.clips.glob("*/*.part"))


def test_the_main_stream_takes_over_at_full_pace_when_the_small_one_falls_silent(recorder, live, hand_clock):
    pipe = Pipe(Camera(name="gate", source="rtsp://h/1", sub="rtsp://h/2"), recorder, live, hand_clock)
    small, picture = SubFeed(pipe, hand_clock), Luma(np.zeros((90, 160), np.uint8), 0.0)
    seen: list[float] = []
    for number in range(35 * 15):       # the main stream has 15 frames a second; the small one lasts for 5 s
        hand_clock.advance(1 / 15)
        pipe.tick()
        if number < 5 * 15 and small.wants_luma(hand_clock.mono):
            small.luma(replace(picture, mono_s=hand_clock.mono))
            assert not pipe.wants_main_luma()
        elif pipe.wants_main_luma() and pipe.wants_luma(hand_clock.mono):
            pipe.luma(replace(picture, mono_s=hand_clock.mono))
            seen.append(hand_clock.mono)
    assert len(seen) == pytest.approx(25 * 5, abs=5)
    assert max(np.diff(seen)) < 0.3


def test_memory_is_taken_for_the_pre_roll_not_for_the_longest_event(recorder, live, hand_clock):
    camera = Camera(name="gate", source="rtsp://h/1", merge_gap_s=120)
    pipe, data = Pipe(camera, recorder, live, hand_clock), bytes(17_000)      # 2 Mbit/s
    pipe.stream(INFO)
    for number in range(150 * 15):
        pipe.packet(Packet(data, number * 66_667, number * 66_667, number % 15 == 0))
        hand_clock.advance(1 / 15)
    assert pipe.facts().dropped_n == 0


def test_the_heartbeat_tells_who_encodes_and_what_was_asked_for(recorder, live, hand_clock):
    pipe = Pipe(Camera(name="gate", source="picamera:0"), recorder, live, hand_clock)
    pipe.stream(replace(INFO, encoder="x264 ultrafast", reduced_from=(1280, 720), stands_in=True))
    told = pipe.facts()
    assert (told.encoder, told.reduced_from, told.stands_in) == ("x264 ultrafast", "1280x720", True)
    pipe.stream(INFO)
    told = pipe.facts()
    assert (told.encoder, told.reduced_from, told.stands_in) == (None, None, None)


@dataclass
class Viewer:
    """Somebody at a live socket who reads when it suits them."""

    socket: socket.socket
    parser: Parser

    @classmethod
    def at(cls, path: Path) -> "Viewer":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(path))
        connection.settimeout(0.3)
        return cls(connection, Parser())

    def read(self) -> list[StreamInfo | Packet]:
        """All messages until there is silence."""
        found: list[StreamInfo | Packet] = []
        try:
            while data := self.socket.recv(1 << 20):
                found += self.parser.feed(data)
        except TimeoutError:
            pass
        return found


@pytest.fixture
def viewer(live: LiveSocket, tmp_path: Path) -> Iterator[Viewer]:
    """A viewer who has seen the format and the first keyframe."""
    live.stream(INFO)
    live.packet(MOVIE[0])
    made = Viewer.at(tmp_path / "live.sock")
    seen: list[StreamInfo | Packet] = []
    until(lambda: seen.extend(made.read()) or len(seen) == 2)
    yield made
    made.socket.close()


def flood(live: LiveSocket) -> Packet:
    """Ten megabytes, far more than a viewer's queue holds; returns the last packet, a keyframe."""
    for number in range(1, 101):
        last = Packet(bytes(100_000), number, number, True)
        live.packet(last)
    return last


def test_a_viewer_who_is_too_slow_still_learns_the_new_format(live: LiveSocket, viewer: Viewer):
    other = replace(INFO, width=640)
    for number in range(10):        # more than a socket takes
        live.packet(Packet(bytes(100_000), number, number, True))
    live.stream(other)
    last, got = flood(live), viewer.read()
    assert [message for message in got if isinstance(message, StreamInfo)] == [other]
    assert got[got.index(other) + 1].pts_us > 1 and got[-1] == last


def test_a_viewer_who_is_too_slow_hears_of_no_format_change_where_there_was_none(live: LiveSocket, viewer: Viewer):
    last, got = flood(live), viewer.read()
    assert 0 < len(got) < 100 and got[-1] == last
    assert not [message for message in got if isinstance(message, StreamInfo)]


@pytest.mark.parametrize("pixels", ["gray", "yuv420p", "yuvj420p", "nv12", "yuv420p10le", "rgb24"])
def test_brightness_has_full_range_whatever_the_camera_sends(pixels: str):
    picture = np.repeat(np.linspace(0, 255, 100).astype(np.uint8)[:, None], 160, axis=1)
    y = luma_of(av.VideoFrame.from_ndarray(picture, "gray").reformat(format=pixels), 0.0).y
    assert y.shape == picture.shape and y.dtype == np.uint8
    assert np.abs(y.astype(int) - picture).max() <= 2      # limited range has fewer levels, and there is dither


@pytest.mark.parametrize("repeated", [7, 8])        # SPS, PPS
def test_a_keyframe_that_repeats_one_kind_of_parameter_set_changes_no_format(repeated: int):
    fragmenter = Fragmenter(INFO, MOVIE[0], 0, 60, 1.8)
    fragments = [fragment for packet in MOVIE if (fragment := fragmenter.add(packet))]
    with av.open(io.BytesIO(fragmenter.head + b"".join(fragments))) as container:
        packets = Packets(container.streams.video[0])
        key = next(packet for packet in container.demux(video=0) if packet.is_keyframe)
        units = nal.split_lengths(bytes(key))
        sets, _ = nal.config_units("h264", INFO.config)
        kept = [unit for unit in units if nal.unit_type("h264", unit) not in (7, 8)]
        again = av.Packet(nal.join_lengths([*(unit for unit in sets if unit[0] & 31 == repeated), *kept]))
        again.pts, again.dts, again.is_keyframe = key.pts, key.dts, True
        info = packets.info
        assert [type(found) for found in packets.convert(again)] == [Packet] and packets.info == info
