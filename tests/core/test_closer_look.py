"""When every packet is decoded: as soon as there is a reason, and only as long as there is one."""
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.vision.closer_look import (
    BLIND_MAX_S,
    CALM_S,
    CHANGED_MIN,
    CLOSE_N,
    CLOSE_S,
    GLANCE_SMALL_WITHIN_S,
    GLANCE_WITHIN_S,
    LOUD,
    LOUD_HALVES_S,
    LOUD_TIMES,
    START_S,
    CloserLook,
    GlancePace,
    KeyIntervals,
)
from agent.core.vision.motion import Look, Reason

EVENT_S = 8.0
STEP_S = 0.2            # between the pictures of a closer look
NOTHING, SOMETHING = Look(False), Look(False, score=0.02, tracks_n=1)
MOVING = Look(True, score=0.02, tracks_n=1)
LEFTOVER = Look(False, score=CHANGED_MIN)           # where somebody was a moment ago


@dataclass
class Camera:
    """A stream with a keyframe every `gop_s`, and what the detector says of its pictures."""

    closer: CloserLook
    mono_s: float = 1000.0
    gop_s: float = 2.0
    pace: GlancePace = field(default_factory=GlancePace)

    def show(self, seconds: float, look: Look, excess: float = 0.0) -> float:
        """Let it be seen for so long; returns the seconds in which every packet was decoded."""
        return self.show_gops(seconds, [excess], look)

    def show_gops(self, seconds: float, excesses: Sequence[float], look: Look) -> float:
        """The same with packets that are by turns so loud, from each keyframe on."""
        wanted_s, until_mono_s, loud = 0.0, self.mono_s + seconds, itertools.cycle(excesses)
        while self.mono_s < until_mono_s - 1e-6:
            self.mono_s += STEP_S
            key = self.mono_s % self.gop_s < STEP_S - 1e-6
            loud = itertools.cycle(excesses) if key else loud
            self.closer.packet(key, next(loud), self.mono_s)
            glance = key and self.pace.due(self.mono_s)
            if self.closer.wanted:
                self.closer.looked(look, self.mono_s)
                wanted_s += STEP_S
            elif glance:
                self.closer.keyframe(look, self.mono_s)
        return wanted_s


@pytest.fixture
def fresh() -> Camera:
    return Camera(CloserLook(EVENT_S, 1000.0))


@pytest.fixture
def camera(fresh: Camera) -> Camera:
    """One whose scene has been learned, between closer looks."""
    fresh.show(START_S + 1, NOTHING)
    assert not fresh.closer.wanted
    return fresh


def test_it_begins_with_a_closer_look_in_which_the_scene_is_learned(fresh: Camera):
    assert fresh.show(30, NOTHING) == pytest.approx(START_S, abs=2 * STEP_S)


def test_a_quiet_scene_is_never_decoded_in_full(camera: Camera):
    assert camera.show(600, NOTHING) == 0


@pytest.mark.parametrize("look", [MOVING, SOMETHING, LEFTOVER, Look(False, reasons=(Reason.GLOBAL_CHANGE,)),
                                  Look(False, reasons=(Reason.SETTLING,))])
def test_a_keyframe_with_something_in_it_begins_one(camera: Camera, look: Look):
    assert camera.closer.keyframe(look, camera.mono_s) and camera.closer.wanted


@pytest.mark.parametrize("look", [NOTHING, Look(False, score=0.9 * CHANGED_MIN),
                                  Look(False, reasons=(Reason.FROZEN, Reason.BUSY))])
def test_a_keyframe_without_does_not(camera: Camera, look: Look):
    assert not camera.closer.keyframe(look, camera.mono_s) and not camera.closer.wanted


def test_what_no_object_will_come_of_does_not_prolong_it(camera: Camera):
    camera.closer.keyframe(LEFTOVER, camera.mono_s)
    assert camera.show(camera.gop_s, LEFTOVER) == pytest.approx(CALM_S, abs=2 * STEP_S)


@pytest.mark.parametrize("event_s", [0.0, EVENT_S, 60.0])
def test_it_lasts_as_long_as_the_event_is_open(event_s: float):
    camera = Camera(CloserLook(event_s, 1000.0))
    camera.show(20, MOVING)
    assert camera.show(200, NOTHING) == pytest.approx(max(event_s, CALM_S), abs=2 * STEP_S)


def test_loud_packets_begin_one_between_keyframes(camera: Camera):
    assert not camera.closer.packet(False, LOUD, camera.mono_s)
    assert not camera.closer.packet(True, 2 * LOUD, camera.mono_s)      # that one is looked at anyhow
    assert camera.closer.packet(False, LOUD + 0.1, camera.mono_s)


def test_what_is_loud_in_vain_has_to_become_louder_and_is_forgiven_in_time(camera: Camera):
    closer, excess = camera.closer, LOUD
    while excess < 20 * LOUD:
        assert not closer.packet(False, 0.9 * excess, camera.mono_s)
        camera.show(STEP_S, NOTHING, 1.01 * excess)
        assert closer.wanted
        camera.show(2 * CALM_S, NOTHING)
        assert not closer.wanted
        excess *= 1.01 * LOUD_TIMES
    assert closer.packet(False, 1.01 * LOUD, camera.mono_s + 6 * LOUD_HALVES_S)


def test_what_was_loud_for_a_reason_may_be_as_loud_again(camera: Camera):
    camera.closer.packet(False, 1.1 * LOUD, camera.mono_s)
    camera.show(3, MOVING)
    camera.show(60, NOTHING)
    assert camera.closer.packet(False, 1.1 * LOUD, camera.mono_s + STEP_S / 2)


@pytest.mark.parametrize("habit", [LOUD, 4 * LOUD, 50 * LOUD])
def test_an_encoders_habits_are_learned_while_the_scene_is(fresh: Camera, habit: float):
    assert fresh.show_gops(300, [habit, 0, 0, habit / 2, 0], NOTHING) == pytest.approx(START_S, abs=2 * STEP_S)
    assert fresh.show_gops(3, [1.01 * LOUD_TIMES * habit, 0, 0], MOVING) > CALM_S


def test_a_keyframe_with_nothing_in_it_tells_what_the_packets_before_it_meant(camera: Camera):
    for _ in range(20):                         # a habit that grows, as the spread of sizes is learned
        camera.show(camera.gop_s, NOTHING, 0.99 * LOUD)
        assert not camera.closer.wanted
    assert not camera.closer.packet(False, 1.01 * LOUD, camera.mono_s)
    assert camera.closer.packet(False, 1.01 * LOUD_TIMES * LOUD, camera.mono_s)


def test_it_lasts_while_something_is_followed_and_a_little_longer(camera: Camera):
    camera.show(camera.gop_s, SOMETHING)
    assert camera.show(60, SOMETHING) == pytest.approx(60)
    assert camera.show(60, NOTHING) == pytest.approx(CALM_S, abs=2 * STEP_S)


def test_a_stream_without_keyframes_is_decoded_until_one_comes(fresh: Camera):
    fresh.gop_s = 1e9
    fresh.show(START_S, NOTHING)
    assert fresh.show(BLIND_MAX_S - 1, NOTHING) == 0
    assert fresh.show(60, NOTHING) == pytest.approx(60, abs=2)
    fresh.gop_s = 2.0
    assert fresh.show(60, NOTHING) <= fresh.gop_s + CALM_S


looks = st.sampled_from([NOTHING, SOMETHING, MOVING, LEFTOVER, Look(False, score=0.3, reasons=(Reason.GLOBAL_CHANGE,)),
                         Look(False, score=0.3, reasons=(Reason.SETTLING,))])
scenes = st.lists(st.tuples(st.floats(0.2, 40), looks, st.floats(0, 40)), max_size=12)


@pytest.mark.parametrize(("within_s", "gop_s", "every_s"), [
    *((GLANCE_WITHIN_S, *paced) for paced in ((0.25, 2.25), (0.5, 2), (1, 2), (1.5, 1.5), (2, 2), (10, 10))),
    *((GLANCE_SMALL_WITHIN_S, *paced) for paced in ((0.25, 1.25), (0.5, 1), (1, 1), (2, 2)))])
def test_keyframes_in_quick_succession_are_not_all_looked_at(within_s: float, gop_s: float, every_s: float):
    pace = GlancePace(within_s)
    looked_at_s = [n * gop_s for n in range(100) if pace.due(1000 + n * gop_s)]
    assert {later - earlier for earlier, later in pairwise(looked_at_s)} == {every_s}


@given(st.lists(st.floats(0.1, 4), max_size=100))
def test_however_keyframes_come_none_is_left_out_for_long(gops_s):
    pace, mono_s, looked_mono_s = GlancePace(), 1000.0, None
    for gop_s in [1.0, *gops_s]:
        mono_s += gop_s
        if pace.due(mono_s):
            looked_mono_s = mono_s
        assert mono_s - looked_mono_s < GLANCE_WITHIN_S


def close_until(intervals: KeyIntervals, seconds: float, gop_s: float, mono_s: float = 1000.0,
                camera_s: float = 0.0) -> list[bool]:
    """Whether keyframes are close together at each of ten packets a second; the first one is a keyframe."""
    gop_n = round(10 * gop_s)
    return [intervals.close(n % gop_n == 0, camera_s + n / 10, mono_s + n / 10) for n in range(round(10 * seconds))]


@pytest.mark.parametrize("gop_s", [0.1, 1, 2, 2.2])
def test_keyframes_that_are_close_together_are_known_after_a_few(gop_s: float):
    known = close_until(KeyIntervals(), 20, gop_s)
    first_n = round(10 * gop_s * CLOSE_N)
    assert not any(known[:first_n]) and all(known[first_n:])


@pytest.mark.parametrize("gop_s", [CLOSE_S + 0.05, 4, 10, 1e6])
def test_keyframes_that_are_far_apart_are_never_close(gop_s: float):
    assert not any(close_until(KeyIntervals(), 60, gop_s))


def test_a_keyframe_that_stays_away_is_noticed_before_it_comes():
    intervals = KeyIntervals()
    assert close_until(intervals, 20, 2)[-1]
    later = close_until(intervals, 30, 10, 1020.0, 20.0)
    assert later[:23] == [True] * 23 and not any(later[23:])


def test_delayed_packets_change_nothing_and_a_jump_of_the_cameras_clock_is_measured_anew():
    intervals = KeyIntervals()
    close_until(intervals, 20, 2)
    assert all(intervals.close(n % 20 == 0, 20 + n / 10, 1020.9 + n // 10) for n in range(100))
    for jump_s in (3600.0, -3600.0):
        jumped = close_until(intervals, 20, 2, 1040.0, 40 + jump_s)
        assert jumped.index(True) == round(10 * 2 * CLOSE_N)
    assert not any(intervals.close(False, 40 + jump_s + 20, 1065.0 + n) for n in range(10))    # it stands still


@given(scenes, st.floats(0.5, 4))
def test_whatever_was_seen_before_motion_is_seen_within_one_gop(scene, gop_s):
    camera = Camera(CloserLook(EVENT_S, 1000.0), gop_s=gop_s)
    for seconds, look, excess in scene:
        camera.show(seconds, look, excess)
    camera.show(max(gop_s, GLANCE_WITHIN_S) + STEP_S, MOVING)
    assert camera.closer.wanted
    assert camera.show(EVENT_S - STEP_S, NOTHING) == pytest.approx(EVENT_S - STEP_S, abs=2 * STEP_S)


@given(scenes, st.floats(0.5, 4))
def test_whatever_was_seen_before_a_quiet_scene_is_soon_left_alone(scene, gop_s):
    camera = Camera(CloserLook(EVENT_S, 1000.0), gop_s=gop_s)
    for seconds, look, excess in scene:
        camera.show(seconds, look, excess)
    camera.show(max(START_S, EVENT_S) + CALM_S + max(gop_s, GLANCE_WITHIN_S), NOTHING)
    assert camera.show(120, NOTHING) == 0


@given(st.lists(st.floats(0, 200), min_size=1, max_size=10), st.floats(0.5, 4), st.floats(1, 0.9 * LOUD_TIMES))
def test_whatever_habits_an_encoder_has_a_quiet_scene_is_left_alone(excesses, gop_s, growth):
    camera = Camera(CloserLook(EVENT_S, 1000.0), gop_s=gop_s)
    camera.show_gops(START_S + gop_s, excesses, NOTHING)
    assert camera.show_gops(120, [growth * excess for excess in excesses], NOTHING) == 0
