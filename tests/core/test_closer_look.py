"""When every packet is decoded: as soon as there is a reason, and only as long as there is one."""
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.vision.closer_look import (
    BLIND_MAX_S,
    CALM_S,
    CHANGED_MIN,
    LOUD,
    LOUD_HALVES_S,
    LOUD_MAX,
    START_S,
    CloserLook,
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

    def show(self, seconds: float, look: Look, excess: float = 0.0) -> float:
        """Let it be seen for so long; returns the seconds in which every packet was decoded."""
        wanted_s, until_mono_s = 0.0, self.mono_s + seconds
        while self.mono_s < until_mono_s - 1e-6:
            self.mono_s += STEP_S
            key = self.mono_s % self.gop_s < STEP_S - 1e-6
            self.closer.packet(key, excess, self.mono_s)
            if self.closer.wanted:
                self.closer.looked(look, self.mono_s)
                wanted_s += STEP_S
            elif key:
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


@pytest.mark.parametrize("look", [MOVING, SOMETHING, LEFTOVER, Look(False, reasons=(Reason.GLOBAL_CHANGE,))])
def test_a_keyframe_with_something_in_it_begins_one(camera: Camera, look: Look):
    assert camera.closer.keyframe(look, camera.mono_s) and camera.closer.wanted


@pytest.mark.parametrize("look", [NOTHING, Look(False, score=0.9 * CHANGED_MIN),
                                  Look(False, reasons=(Reason.SETTLING, Reason.BUSY))])
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
    closer = camera.closer
    for excess in (LOUD, 2 * LOUD, 4 * LOUD, 8 * LOUD):
        assert not closer.packet(False, 0.9 * excess, camera.mono_s)
        camera.show(STEP_S, NOTHING, 1.1 * excess)
        assert closer.wanted
        camera.show(2 * CALM_S, NOTHING)
        assert not closer.wanted
    assert not closer.packet(False, 0.9 * LOUD_MAX, camera.mono_s)
    assert closer.packet(False, 1.1 * LOUD, camera.mono_s + 4 * LOUD_HALVES_S)


def test_what_was_loud_for_a_reason_may_be_as_loud_again(camera: Camera):
    camera.closer.packet(False, 1.1 * LOUD, camera.mono_s)
    camera.show(3, MOVING)
    camera.show(60, NOTHING)
    assert camera.closer.packet(False, 1.1 * LOUD, camera.mono_s + STEP_S / 2)


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


@given(scenes, st.floats(0.5, 4))
def test_whatever_was_seen_before_motion_is_seen_within_one_gop(scene, gop_s):
    camera = Camera(CloserLook(EVENT_S, 1000.0), gop_s=gop_s)
    for seconds, look, excess in scene:
        camera.show(seconds, look, excess)
    camera.show(gop_s + STEP_S, MOVING)
    assert camera.closer.wanted
    assert camera.show(EVENT_S - STEP_S, NOTHING) == pytest.approx(EVENT_S - STEP_S, abs=2 * STEP_S)


@given(scenes, st.floats(0.5, 4))
def test_whatever_was_seen_before_a_quiet_scene_is_soon_left_alone(scene, gop_s):
    camera = Camera(CloserLook(EVENT_S, 1000.0), gop_s=gop_s)
    for seconds, look, excess in scene:
        camera.show(seconds, look, excess)
    camera.show(max(START_S, EVENT_S) + CALM_S + gop_s, NOTHING)
    assert camera.show(120, NOTHING) == 0
