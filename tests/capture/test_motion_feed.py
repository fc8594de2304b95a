"""From encoded packets to events: little is decoded while nothing happens, and what happens is not missed for it."""
import contextlib
import gc
import logging
import mmap
import resource
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from agent.cameras.demux import Packets
from agent.capture.main_decoder import Decoder, MainDecoder
from agent.capture.motion_feed import MainFeed, SubFeed
from agent.config.settings import Motion
from agent.core.media.model import Packet
from agent.core.vision.luma import Luma
from agent.host.luma import luma_of
from agent.store import events
from tests.capture.motion_stage import BEGIN_MONO_S, FPS, GOP_S, VISITOR, Film, Stage, film, in_full
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until
from tests.scenes import Walk, noise, pictures, rain


@pytest.fixture(scope="module")
def quiet() -> Film:
    return film(40)


@pytest.fixture(scope="module")
def visit() -> Film:
    """A yard with a visitor."""
    return film(40, VISITOR)


def whole(decoded: Sequence[int], since_s: float) -> int:
    """How many packets were decoded from then on."""
    return sum(decoded[round(since_s * FPS):])


# The main stream.

def test_of_a_quiet_scene_only_keyframes_are_decoded(stage: Stage, quiet: Film):
    pipe = stage.pipe()
    decoded = stage.watched(quiet, pipe)
    assert whole(decoded, 8) == (40 - 8) / GOP_S
    assert not pipe.moving_s()


@pytest.mark.parametrize("weather", [(), (rain(60),)], ids=["dry", "rain"])
def test_who_comes_is_seen_from_where_full_decoding_sees_them_and_told_within_a_gop(stage: Stage, weather):
    cheap, full, visit = stage.pipe(), stage.pipe(), film(30, VISITOR, *weather)
    decoder, found_s = MainDecoder(visit[0], cheap, BEGIN_MONO_S), None
    in_full(full, visit, stage.clock)
    for packet in stage.coming(visit[1]):
        decoder.offer(packet, stage.clock.mono)
        while decoder.step():
            pass
        if found_s is None and cheap.moving_s():
            found_s = stage.clock.mono - BEGIN_MONO_S
    assert cheap.moving_s()[0] == pytest.approx(full.moving_s()[0], abs=0.4)
    assert cheap.moving_s()[-1] == pytest.approx(full.moving_s()[-1], abs=0.4)
    assert found_s - full.moving_s()[0] <= GOP_S


def test_the_event_has_its_pre_roll_and_its_picture(stage: Stage, visit: Film, db):
    pipe = stage.pipe()
    decoded = stage.watched(visit, pipe)
    pipe.finish()
    stage.recorders[0].finish(HANG_S)
    event, = events.latest(db)
    assert (event.state, event.tracks_n >= 1) == ("done", True)
    assert BEGIN_MONO_S + 20.6 < event.mono_ms / 1000 < BEGIN_MONO_S + 22.6
    assert event.clip and event.thumb
    assert whole(decoded, 38) <= 2


@pytest.mark.parametrize("gop", [10, 40])
def test_pictures_of_one_look_come_in_their_order_and_at_motions_pace(stage: Stage, gop: int):
    pipe = stage.pipe()
    stage.watched(film(30, Walk(start_s=15.3, stop_s=20), gop=gop), pipe)
    times = np.array([at_s for at_s, _ in pipe.seen])
    burst = np.diff(times[(times > 16) & (times < 24)])
    assert np.all(np.diff(times) > 0) and burst.min() >= 0.1 and burst.max() < 0.35


def test_a_pause_of_the_decoder_loses_whole_gops_and_never_memory(stage: Stage, caplog):
    info, packets = movie(gop=10)
    pipe = stage.pipe()
    decoder = MainDecoder(info, pipe, BEGIN_MONO_S)
    with caplog.at_level(logging.WARNING):
        for number in range(2000):          # nobody decodes
            packet = packets[number % len(packets)]
            decoder.offer(packet, BEGIN_MONO_S + number / FPS)
    told = [record for record in caplog.records if "too slow to decode" in record.message]
    assert 1 <= len(told) <= 2000 / FPS / 60 + 1
    assert sum(iter(decoder.step, False)) <= 2 * 10


def test_what_is_no_video_disturbs_nobody(stage: Stage, visit: Film):
    info, packets = visit
    pipe = stage.pipe()
    junk = [replace(packet, data=packet.data[:4] + bytes(len(packet.data) - 4)) if number % 50 > 40 else packet
            for number, packet in enumerate(packets)]
    stage.watched((info, junk), pipe)
    assert any(20.6 < at_s < 26.5 for at_s in pipe.moving_s())


def test_a_picture_that_was_asked_about_is_seen_as_if_nobody_had_asked(stage: Stage):
    asked, plain = stage.pipe(), stage.pipe()
    shown = list(pictures(20, 5, Walk(start_s=6.5, stop_s=12), noise(1.5)))
    for number, picture in enumerate(shown):
        picture = replace(picture, mono_s=BEGIN_MONO_S + number / 5)
        said = asked.watch.peek(picture) if number % 3 else None
        if number % 3 == 2:                     # another one comes first
            asked.watch.peek(replace(picture, plane=np.full_like(picture.y, 255), mono_s=picture.mono_s + 0.1))
        look = plain.luma(picture)
        assert asked.luma(picture) == look and said in (None, look)
    assert plain.moving_s() == asked.moving_s() != []


def test_a_paused_camera_keeps_no_picture_that_was_only_asked_about(stage: Stage):
    pipe, picture = stage.pipe(), Luma(np.zeros((90, 160), np.uint8), BEGIN_MONO_S)
    kept = weakref.ref(picture.plane)
    pipe.watch.peek(picture)
    del picture
    assert kept() is not None
    pipe.pause("page")
    gc.collect()
    assert kept() is None


# The main stream's sink, with its thread.

def decoders_n() -> int:
    """How many decoders are at work."""
    return sum(thread.name == "main-decoder" for thread in threading.enumerate())


def test_the_sink_watches_in_a_thread_of_its_own_until_the_run_ends(stage: Stage):
    before_n, pipe, (info, packets) = decoders_n(), stage.pipe(), movie()
    feed = MainFeed(pipe, stage.clock)
    feed.stream(info)
    for packet in stage.coming(packets):
        feed.packet(packet)
    until(lambda: pipe.seen)
    assert decoders_n() == before_n + 1 and pipe.facts().width == info.width
    feed.end_run()
    until(lambda: decoders_n() == before_n)


def test_another_format_gets_another_decoder(stage: Stage):
    before_n, pipe = decoders_n(), stage.pipe()
    feed = MainFeed(pipe, stage.clock)
    for size in ((320, 180), (640, 360)):
        info, packets = movie(size=size)
        feed.stream(info)
        for packet in packets:
            stage.clock.advance(1 / FPS)
            feed.packet(packet)
        until(partial(pipe.shapes.__contains__, size[::-1]))
    until(lambda: decoders_n() == before_n + 1)
    feed.end_run()
    until(lambda: decoders_n() == before_n)


@contextlib.contextmanager
def no_room_for_threads() -> Iterator[None]:
    """Stacks larger than what the process may grow by, as while another camera's decoder works within its memory."""
    data_b = int(Path("/proc/self/statm").read_text().split()[5]) * mmap.PAGESIZE
    stack_b, limits = threading.stack_size(128 << 20), resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data_b + (64 << 20), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        threading.stack_size(stack_b)


def test_a_thread_that_cannot_start_costs_motion_and_no_recording(stage: Stage):
    before_n, pipe, (info, packets) = decoders_n(), stage.pipe(), movie(seconds=20)
    feed, coming = MainFeed(pipe, stage.clock), stage.coming(packets)
    feed.stream(info)
    with no_room_for_threads():
        feed.packet(next(coming))
    assert decoders_n() == before_n
    for packet in coming:
        feed.packet(packet)
    assert decoders_n() == before_n + 1
    until(lambda: pipe.seen)
    feed.end_run()


@pytest.mark.parametrize("why", ["small stream", "source's own pictures", "no motion"])
def test_nothing_is_decoded_that_nobody_needs(stage: Stage, why: str):
    before_n, (info, packets) = decoders_n(), movie()
    pipe = stage.pipe(has_sub=why == "small stream", motion=Motion(enabled=why != "no motion"))
    feed, small = MainFeed(pipe, stage.clock), SubFeed(pipe, stage.clock)
    feed.stream(info)
    small.stream(info)
    for packet in stage.coming(packets):
        if why == "small stream":
            small.packet(packet)
        if why == "source's own pictures":
            assert feed.wants_main_luma()
        feed.packet(packet)
        assert decoders_n() == before_n
    assert pipe.facts().fps != 0


def test_the_main_stream_is_watched_while_the_small_one_is_silent(stage: Stage):
    before_n, pipe, (info, packets) = decoders_n(), stage.pipe(has_sub=True), movie(seconds=20)
    feed, small = MainFeed(pipe, stage.clock), SubFeed(pipe, stage.clock)
    feed.stream(info)
    small.stream(info)
    watched = []
    for number, packet in enumerate(stage.coming(packets)):
        if not 50 <= number < 150:
            small.packet(packet)
        pipe.tick()
        feed.packet(packet)
        watched.append(decoders_n() > before_n)
    assert watched[98:101] == [False, False, True] and all(watched[101:150])       # silent for more than 5 s
    assert not any(watched[:98])
    until(lambda: decoders_n() == before_n)


# The decoder.

def demuxed(path: Path) -> Film:
    """A file's packets."""
    with av.open(str(path)) as container:
        packets = Packets(container.streams.video[0])
        found = [item for packet in container.demux(video=0) if packet.size for item in packets.convert(packet)]
        return packets.info, [item for item in found if isinstance(item, Packet)]


CLIPS = [{"codec": "h264"}, {"codec": "h264", "b_frames": 2}, {"codec": "h265"}]


@pytest.mark.parametrize("kind", CLIPS, ids=str)
def test_a_keyframe_alone_gives_its_own_picture_and_then_the_stream_goes_on(kind: dict):
    path = footage.clip(320, 180, 10, 10, 300, seconds=3, **kind)
    info, packets = demuxed(path)
    frames = av.open(str(path)).decode(video=0)
    truth = [luma_of(frame.reformat(format="yuv420p"), 0.0).y.astype(int) for frame in frames]
    keys = [number for number, packet in enumerate(packets) if packet.key]
    decoder = Decoder(info)
    for key in keys[1:]:
        alone = luma_of(decoder.decode_alone(packets[key]), 0.0).y.astype(int)
        assert np.abs(alone - truth[key]).mean() < 3        # no loop filter
        assert decoder.decode(packets[key + 1]) is None     # it must begin anew
        followed = [decoder.decode(packet) for packet in packets[key:key + 8]]
        last = luma_of([picture for picture in followed if picture is not None][-1], 0.0).y.astype(int)
        assert min(np.abs(last - picture).mean() for picture in truth[key:key + 8]) < 4


def test_after_damage_it_goes_on_with_the_next_keyframe():
    info, packets = movie(gop=10)
    decoder = Decoder(info)
    broken = [replace(packet, data=b"\0\0\0\2\xff") if number == 4 else packet for number, packet in enumerate(packets)]
    came = [decoder.decode(packet) is not None for packet in broken[:12]]
    assert came == [True] * 4 + [False] * 6 + [True] * 2
