"""What the detector sees and what leaves it cold, on small generated scenes."""
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from agent.core.media.model import Point
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, MotionSettings, Reason
from tests import scenes
from tests.core.motion_material import RATES, USUAL, inside, moving_from, watch
from tests.scenes import Walk, noise, pictures


@RATES
def test_a_walker_is_seen_within_a_second_and_a_half_and_boxed(fps):
    walk = Walk(start_s=5)
    looks = watch(pictures(9, fps, walk, noise(2)))
    assert 5 <= moving_from(looks) <= 6.5
    late = [(t, look) for t, look in looks if t >= 6.5]
    assert all(look.moving for _, look in late)
    assert sum(inside(look, *walk.centre(t)) for t, look in late) >= 0.9 * len(late)
    assert all(look.largest == look.boxes[0] for _, look in late)


@pytest.mark.parametrize("fps", [1.0, 2.0, 15.0])
def test_a_walker_is_seen_at_any_rate(fps):
    assert 5 <= moving_from(watch(pictures(14, fps, Walk(start_s=5, px_per_s=18), noise(2)))) <= 10


@RATES
def test_somebody_who_fills_the_picture_is_seen(fps):
    near = Walk(start_s=4, x=-60, y=250, px_per_s=90, tall=300, level=40)
    assert 4 <= moving_from(watch(pictures(9, fps, near, noise(2)))) <= 6


QUIET = {
    "noise": [noise(6)],
    "exposure": [scenes.exposure_step(6, 1.5), noise(2)],
    "lamp_off": [scenes.exposure_step(6, 0.35), noise(2)],
    "clouds": [scenes.clouds(), noise(2)],
    "gusts": [scenes.gusts(), noise(2)],
    "rain": [scenes.rain(), noise(2)],
    "headlights": [scenes.headlights(5), noise(2)],
    "shake": [scenes.shake(), noise(2)],
}


@RATES
@pytest.mark.parametrize("name", QUIET)
def test_weather_and_light_leave_it_cold(name, fps):
    assert moving_from(watch(pictures(14, fps, *QUIET[name]))) is None


@RATES
def test_insects_in_the_dark_leave_it_cold(fps):
    assert moving_from(watch(pictures(14, fps, scenes.insects(), noise(1), light=0.25))) is None


@pytest.mark.parametrize("name", ["exposure", "clouds", "gusts", "rain", "shake"])
def test_a_walker_is_seen_through_weather(name):
    walk = Walk(start_s=7, x=120)
    assert 7 <= moving_from(watch(pictures(12, 10, walk, *QUIET[name]))) <= 10


def test_a_parked_car_becomes_background_and_a_walker_before_it_is_seen():
    drive = scenes.car(start_s=4, stop_s=7)
    looks = watch(pictures(24, 10, drive, Walk(start_s=19, x=80), noise(2)))
    assert any(look.moving for t, look in looks if 4 <= t <= 7)
    assert not any(look.moving for t, look in looks if 11 <= t < 19)
    assert any(look.moving for t, look in looks if 19 <= t <= 21)


@RATES
def test_somebody_who_stopped_is_seen_to_sway(fps):
    stand = Walk(start_s=4, x=130, rest_s=7)
    still = watch(pictures(22, fps, stand, noise(1)))
    swaying = watch(pictures(22, fps, stand._replace(sway_px=2), noise(1)))
    assert not any(look.moving for t, look in still if t > 14)
    assert sum(look.moving for t, look in swaying if t > 14) > 0.7 * 8 * fps


def test_somebody_who_stirs_is_followed_before_it_counts_as_motion():
    looks = watch(pictures(40, 5, Walk(start_s=5, rest_s=9, sway_px=2), noise(1.5)))
    before = [look for (_, look), (_, later) in pairwise(looks) if later.moving and not look.moving]
    assert len(before) > 2 and all(look.tracks_n for look in before)


def test_what_leaves_after_a_long_stay_leaves_nothing_behind():
    stay = Walk(start_s=0, x=160, px_per_s=0, stop_s=12)
    looks = watch(pictures(20, 10, stay, noise(2)))
    assert not any(look.moving for t, look in looks if t > 15)


def test_an_ignored_place_is_ignored_and_only_that():
    left = [Point(0, 0), Point(0.5, 0), Point(0.5, 1), Point(0, 1)]
    inside_only = watch(pictures(9, 10, Walk(start_s=4, x=40, stop_s=7), noise(2)), (left,))
    outside = watch(pictures(9, 10, Walk(start_s=4, x=200), noise(2)), (left,))
    assert moving_from(inside_only) is None
    assert moving_from(outside) is not None


def test_smallest_pct_lets_small_things_pass():
    small = [Walk(start_s=4, tall=20, px_per_s=14), noise(1)]
    assert moving_from(watch(pictures(10, 10, *small))) is not None
    assert moving_from(watch(pictures(10, 10, *small), settings=MotionSettings.for_people("normal", 3.0))) is None


def test_sensitivity_orders_how_long_a_faint_walker_is_seen():
    faint = list(pictures(12, 10, Walk(start_s=4, level=80), noise(4)))
    low, normal, high = (
        sum(look.moving for _, look in watch(faint, settings=MotionSettings.for_people(word)))
        for word in ("low", "normal", "high"))
    assert low < normal <= high


def test_a_mirrored_scene_gives_the_mirrored_events():
    scene = list(pictures(12, 10, Walk(start_s=4, stop_s=9), noise(2)))
    plain = watch(scene)
    mirrored = watch(replace(luma, plane=luma.y[:, ::-1]) for luma in scene)
    assert sum(a.moving != b.moving for (_, a), (_, b) in zip(plain, mirrored, strict=True)) <= 6
    assert abs(moving_from(plain) - moving_from(mirrored)) <= 0.3


@pytest.mark.parametrize("light", [0.5, 1.5])
def test_a_darker_or_brighter_scene_gives_the_same_events(light):
    looks = watch(pictures(12, 10, Walk(start_s=4, stop_s=9), noise(2)))
    other = watch(pictures(12, 10, Walk(start_s=4, stop_s=9), noise(2), light=light))
    assert abs(moving_from(looks) - moving_from(other)) <= 0.5
    assert sum(a.moving != b.moving for (_, a), (_, b) in zip(looks, other, strict=True)) <= 10


def test_silence_says_why():
    other = np.kron(np.random.default_rng(3).uniform(20, 230, (18, 32)), np.ones((10, 10))).astype(np.float32)
    whole = pictures(10, 10, lambda picture, t_s, rng: picture if t_s < 5 else other.copy(), noise(2))
    looks = watch(whole)
    assert looks[0][1].reasons == (Reason.SETTLING,)
    assert looks[40][1].reasons == ()
    assert Reason.GLOBAL_CHANGE in looks[50][1].reasons and not looks[50][1].moving
    assert looks[-1][1].reasons == ()


def test_a_hanging_camera_is_named():
    first = next(iter(pictures(1, 10, noise(2))))
    looks = watch(Luma(first.y, scenes.START_MONO_S + i / 10) for i in range(130))
    assert Reason.FROZEN not in looks[80][1].reasons
    assert Reason.FROZEN in looks[-1][1].reasons


def test_a_gap_a_new_size_and_a_clock_going_back_settle_anew():
    detector = Detector(USUAL)
    scene = list(pictures(4, 10, noise(2)))
    for luma in scene:
        assert not detector.step(luma).moving
    y, late_s = scene[0].y, scenes.START_MONO_S + 60
    for odd in (Luma(y, late_s), Luma(y[::2, ::2], late_s + 0.1), Luma(y[::2, ::2], late_s - 30)):
        assert detector.step(odd).reasons == (Reason.SETTLING,)


def test_a_source_that_floods_is_looked_at_at_a_bounded_rate():
    detector = Detector(USUAL)
    y = np.zeros((90, 160), np.uint8)
    first = detector.step(Luma(y, scenes.START_MONO_S))
    assert detector.step(Luma(y, scenes.START_MONO_S + 0.001)) is first
