"""A sub-stream is decoded as little as possible, nothing is missed for it, and no other camera waits for it."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import av
import numpy as np
import pytest
from msgspec import structs

from agent.capture.motion_feed import SubFeed
from agent.capture.sub_decoder import SLICE_MIN_N, SLICE_S
from agent.config.settings import Motion
from agent.core.media.model import Packet
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Look, Reason
from agent.host.decoder import BoundedDecoder
from tests.capture.motion_stage import BEGIN_MONO_S, FPS, GOP_S, VISITOR, Film, NotingPipe, Stage, film, in_full
from tests.rigs.cameras.h264 import encoded, movie
from tests.scenes import Walk, noise, pictures

LEARNED_S = 8           # from then on a quiet scene is left alone


@pytest.fixture(scope="module")
def visit() -> Film:
    """A yard with a visitor, and a keyframe every 2 s."""
    return film(40, VISITOR)


@pytest.fixture(scope="module")
def rare_keys() -> Film:
    """The same with a keyframe every 10 s."""
    return film(40, VISITOR, gop=100)


@dataclass
class Sub:
    """A camera whose sub-stream is looked at, and how many packets were decoded as each one came."""

    stage: Stage
    pipe: NotingPipe
    feed: SubFeed
    decoded: list[int]

    def show(self, packets: Sequence[Packet], after: Callable[[Packet], None] = lambda packet: None) -> None:
        """Let these packets come, each at its time."""
        for packet in self.stage.coming(packets):
            self.decoded.append(0)
            self.pipe.tick()
            self.feed.packet(packet)
            after(packet)

    def looked_s(self, since_s: float, until_s: float = 1e9) -> list[float]:
        """When it looked, in seconds of the film."""
        return [at_s for at_s, _ in self.pipe.seen if since_s <= at_s < until_s]


@pytest.fixture
def sub(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Sub:
    pipe, decode = stage.pipe(has_sub=True), BoundedDecoder.decode
    made = Sub(stage, pipe, SubFeed(pipe, stage.clock), [])

    def counted(decoder: BoundedDecoder, packet: Packet | None) -> list:
        made.decoded[-1] += packet is not None
        return decode(decoder, packet)

    monkeypatch.setattr(BoundedDecoder, "decode", counted)
    made.feed.stream(movie()[0])
    return made


def test_of_a_quiet_scene_only_keyframes_are_decoded(sub: Sub, visit: Film):
    sub.show(visit[1][:20 * FPS])
    assert sum(sub.decoded[LEARNED_S * FPS:]) == (20 - LEARNED_S) / GOP_S
    assert np.allclose(np.diff(sub.looked_s(LEARNED_S)), GOP_S) and not sub.pipe.moving_s()
    assert not sub.pipe.wants_main_luma()


def test_a_keyframe_every_second_is_looked_at_every_second(sub: Sub):
    sub.show(film(16, VISITOR, gop=FPS)[1][:16 * FPS])
    assert np.allclose(np.diff(sub.looked_s(LEARNED_S)), 1.0) and not sub.pipe.moving_s()
    assert sum(sub.decoded[LEARNED_S * FPS:]) == 16 - LEARNED_S


def test_more_looks_a_second_than_usual_wait_for_no_keyframe(stage: Stage, visit: Film):
    pipe = stage.pipe(has_sub=True, motion=Motion(fps=10))
    feed = SubFeed(pipe, stage.clock)
    feed.stream(visit[0])
    for packet in stage.coming(visit[1][:20 * FPS]):
        feed.packet(packet)
    assert np.allclose(np.diff([at_s for at_s, _ in pipe.seen if at_s >= LEARNED_S]), 0.2)


@pytest.mark.parametrize("fps", [5, 10])
def test_who_comes_between_two_keyframes_is_seen_where_full_decoding_sees_them(stage: Stage, visit: Film, fps: int):
    cheap, full = (stage.pipe(has_sub=True, motion=Motion(fps=fps)) for _ in range(2))
    expected_s = in_full(full, visit, stage.clock)
    feed, found_s = SubFeed(cheap, stage.clock), []
    feed.stream(visit[0])
    for packet in stage.coming(visit[1]):
        feed.packet(packet)
        if cheap.moving_s():
            found_s.append(stage.clock.mono - BEGIN_MONO_S)
    assert cheap.moving_s()[0] == pytest.approx(expected_s[0], abs=0.4)
    assert cheap.moving_s()[-1] == pytest.approx(expected_s[-1], abs=0.4)
    assert found_s[0] - expected_s[0] <= GOP_S
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(cheap.seen))


def test_between_rare_keyframes_every_second_picture_is_looked_at_until_somebody_comes(sub: Sub, rare_keys: Film):
    sub.show(rare_keys[1])
    assert set(sub.decoded) == {1}
    assert np.allclose(np.diff(sub.looked_s(LEARNED_S, 20)), 0.4)
    assert np.allclose(np.diff(sub.looked_s(22, 26)), 0.2) and 20.6 < sub.pipe.moving_s()[0] < 22


def test_a_stream_without_a_second_keyframe_is_looked_at_all_the_time(sub: Sub):
    sub.show(film(40, VISITOR, gop=10_000)[1])
    assert max(np.diff(sub.looked_s(0))) < 0.5 and 20.6 < sub.pipe.moving_s()[0] < 22


def test_keyframes_that_become_rare_while_nothing_happens_are_noticed(sub: Sub, visit: Film):
    quiet, later = visit[1][:12 * FPS], film(28, VISITOR._replace(start_s=5.6, stop_s=9), gop=280)[1]
    moved = [replace(one, pts_us=one.pts_us + 12_000_000, dts_us=one.dts_us + 12_000_000) for one in later]
    sub.show([*quiet, *moved])
    assert sum(sub.decoded[LEARNED_S * FPS:12 * FPS]) == 2
    assert 17.6 < sub.pipe.moving_s()[0] < 19 and max(np.diff(sub.looked_s(15))) < 0.5


def test_pictures_that_are_sent_out_of_order_wake_it_too(sub: Sub):
    scene = pictures(30, FPS, VISITOR, noise(1.5))
    frames = (av.VideoFrame.from_ndarray(luma.y, "gray").reformat(format="yuv420p") for luma in scene)
    info, packets = encoded(frames, FPS, 20, bf="2", tune="film", preset="veryfast", b="300k")
    assert any(later.pts_us < earlier.pts_us for earlier, later in pairwise(packets))
    sub.feed.stream(info)
    sub.show([replace(packet, dts_us=number * 1_000_000 // FPS) for number, packet in enumerate(packets)])
    assert sum(sub.decoded[LEARNED_S * FPS:20 * FPS]) <= 20 / GOP_S
    assert 20.6 < sub.pipe.moving_s()[0] < 22.6
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(sub.pipe.seen))


@pytest.mark.parametrize("jump_s", [7200, -7200])
def test_a_jump_of_the_cameras_clock_blinds_nobody(sub: Sub, visit: Film, jump_s: int):
    feed, packets = sub.feed, visit[1]
    for number, packet in enumerate(packets):
        sub.stage.clock.mono = BEGIN_MONO_S + number / FPS
        sub.decoded.append(0)
        shift_us = (7200 + jump_s * (number >= 15 * FPS)) * 1_000_000
        feed.packet(replace(packet, pts_us=packet.pts_us + shift_us, dts_us=packet.dts_us + shift_us))
    assert 20.6 < sub.pipe.moving_s()[0] < 22.6


def test_a_visit_between_two_keyframes_is_found_if_keyframes_are_rare_enough_to_hide_it(sub: Sub):
    sub.show(film(40, Walk(start_s=21.2, stop_s=23.5, px_per_s=110), gop=100)[1])
    assert sub.pipe.moving_s()


def test_a_broken_sub_stream_does_not_leave_motion_blind(sub: Sub, visit: Film):
    blind_s: list[float] = []
    broken = [replace(packet, data=packet.data[:4] + bytes(len(packet.data) - 4)) if packet.dts_us >= 20_000_000
              else packet for packet in visit[1]]
    sub.show(broken, lambda packet: blind_s.append(packet.dts_us / 1e6) if sub.pipe.wants_main_luma() else None)
    assert 22 < min(blind_s[1:]) <= 24 and blind_s[-1] > 39


def test_a_sub_stream_that_dies_while_nothing_happens_is_replaced_and_learned_anew(sub: Sub, visit: Film):
    sub.show(visit[1][:13 * FPS])
    for _ in range(60):
        sub.stage.clock.advance(0.1)
        sub.pipe.tick()
    assert sub.pipe.wants_main_luma()
    sub.show([packet for packet in visit[1] if packet.dts_us >= 30_000_000])
    assert not sub.pipe.wants_main_luma()
    assert max(np.diff(sub.looked_s(30, 34))) < 0.3


def test_what_was_skipped_is_decoded_in_slices_and_before_the_next_keyframe(sub: Sub, visit: Film,
                                                                          monkeypatch: pytest.MonkeyPatch):
    decode, clock = BoundedDecoder.decode, sub.stage.clock

    def slow(decoder: BoundedDecoder, packet: Packet | None) -> list:
        clock.mono += SLICE_S if packet is not None else 0
        return decode(decoder, packet)

    monkeypatch.setattr(BoundedDecoder, "decode", slow)
    sub.show(visit[1])
    assert max(sub.decoded) <= SLICE_MIN_N + 1
    woken = next(number for number in range(20 * FPS, 40 * FPS) if sub.decoded[number] > 1)
    assert sub.decoded[woken:].index(1) < GOP_S * FPS
    assert 20.6 < sub.pipe.moving_s()[0] < 22
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(sub.pipe.seen))


@pytest.mark.parametrize("what", ["pause", "settings"])
def test_what_changes_while_it_catches_up_holds_at_once(sub: Sub, visit: Film, monkeypatch: pytest.MonkeyPatch,
                                                       what: str):
    pipe, peek = sub.pipe, sub.pipe.watch.peek
    changed_s: list[float] = []

    def watched(picture: Luma) -> Look:
        look = peek(picture)
        if look.score > 0.001 and not changed_s:
            changed_s.append(picture.mono_s - BEGIN_MONO_S)
            if what == "pause":
                pipe.pause("page")
            else:
                pipe.adjust(structs.replace(pipe.watch.camera, motion=Motion(sensitivity="high")))
        return look

    monkeypatch.setattr(pipe.watch, "peek", watched)
    sub.show(visit[1][:26 * FPS])
    assert changed_s
    if what == "pause":
        assert not sub.looked_s(changed_s[0])
        return
    seen = [look for at_s, look in pipe.seen if at_s > changed_s[0] - GOP_S]
    assert Reason.SETTLING in seen[0].reasons and len(sub.looked_s(changed_s[0] + 0.1, 25)) > 10


def test_motion_is_blind_under_a_mask_of_the_small_stream(stage: Stage, visit: Film):
    pipe = stage.pipe(has_sub=True)
    feed = SubFeed(pipe, stage.clock, masks=[[(0, 0), (1, 0), (1, 1), (0, 1)]])
    feed.stream(visit[0])
    for packet in stage.coming(visit[1]):
        feed.packet(packet)
    assert len(pipe.seen) > 30 and not pipe.moving_s()
