"""Light and the camera's own faults: what changes the whole picture is no motion, and hides nobody for long."""
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Reason
from tests import scenes
from tests.core.motion_material import RATES, USUAL, Looks, moving_from, stretches, watch
from tests.scenes import HEIGHT, WIDTH, Walk, film, gain_noise, infrared, noise, pictures


def blind_s(looks: Looks, fps: float, from_s: float) -> float:
    """For how long nothing could be told from `from_s` on."""
    return sum(look.blind for t, look in looks if t >= from_s) / fps


COLD = {
    "hunting": [scenes.hunting(5), noise(2)],
    "infrared": [infrared(12, 25), noise(2)],
    "lamp": [scenes.lamp(8), noise(2)],
    "lamp_for_a_moment": [scenes.lamp(8, 8.3), noise(2)],
    "lamp_for_long": [scenes.lamp(8, 15), noise(2)],
    "keyframes": [noise(2), scenes.keyframes()],
    "keyframes_by_night": [noise(4), scenes.keyframes(blur_px=2)],
    "grey": [noise(2), scenes.grey(8), scenes.grey(15)],
    "frozen": [noise(2), scenes.frozen(8, 11), scenes.frozen(14, 14.6)],
}


@RATES
@pytest.mark.parametrize("name", COLD)
def test_light_and_losses_leave_it_cold(name, fps):
    assert stretches(watch(pictures(32, fps, *COLD[name]))) == []


@RATES
def test_going_over_to_infrared_blinds_for_two_seconds_and_the_way_back_not_at_all(fps):
    looks = watch(pictures(40, fps, infrared(15, 30), noise(2)))
    assert 0.5 <= blind_s(looks, fps, from_s=15) <= 2
    assert blind_s(looks, fps, from_s=30) == 0


def evenings(fps: float) -> Iterator[Luma]:
    """Day, infrared, day, and infrared again: 15 s each."""
    first, second = infrared(15, 30), infrared(45)
    return pictures(60, fps, lambda picture, t_s, rng: (first if t_s < 40 else second)(picture, t_s, rng), noise(2))


@RATES
def test_the_second_evening_blinds_no_more(fps):
    looks = watch(evenings(fps))
    assert stretches(looks) == []
    assert blind_s(looks, fps, from_s=45) <= 0.8         # while the filter is on its way


@RATES
@pytest.mark.parametrize("start_s", [18.0, 31.5])
def test_a_walker_is_seen_soon_after_either_switch(start_s, fps):
    looks = watch(pictures(start_s + 4, fps, infrared(15, 30), Walk(start_s), noise(2)))
    assert start_s <= moving_from(looks) <= start_s + 1.5


def stones(seed: int) -> np.ndarray:
    """A wall of large stones: nothing in it is where it was in another wall."""
    blocks = np.random.default_rng(seed).uniform(20, 230, (HEIGHT // 10, WIDTH // 10))
    return np.kron(blocks, np.ones((10, 10))).astype(np.float32)


def turned(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
    """The camera is turned: from the yard to one wall, to another, and to and fro between the two."""
    return picture if t_s < 15 else stones(seed=int(t_s / 15) % 2)


def test_what_it_has_looked_at_before_it_knows_again_at_once():
    looks = watch(pictures(75, 10, turned, noise(2)))
    assert stretches(looks) == []
    assert 2 < blind_s(looks, 10, from_s=15) < 4         # for the two walls
    assert blind_s(looks, 10, from_s=45) == 0


def test_but_not_after_it_was_told_to_forget():
    detector = Detector(USUAL)
    scene = list(pictures(50, 10, turned, noise(2)))
    watch(scene[:400], detector=detector)
    detector.forget_busy()
    assert blind_s(watch(scene[400:], detector=detector), 10, from_s=45) > 1


@RATES
@pytest.mark.parametrize("walk", [Walk(8.2, x=120), Walk(7.9, x=200), Walk(8.2, x=270, px_per_s=-28)])
def test_who_sets_off_a_lamp_is_seen_within_a_second_and_a_half(walk, fps):
    looks = watch(pictures(13, fps, scenes.lamp(8, light=2), walk, noise(2)))
    assert walk.start_s - 0.01 <= moving_from(looks) <= walk.start_s + 1.5       # times are sums of fractions


@RATES
def test_a_grey_picture_costs_next_to_nothing_of_the_next_walk(fps):
    walk = Walk(start_s=9.2)
    usual, after = (moving_from(watch(pictures(14, fps, noise(2), walk, *faults)))
                    for faults in ([], [scenes.grey(8)]))
    assert usual <= after <= usual + 0.2


@RATES
@pytest.mark.parametrize("held_s", [0.8, 2.5, 8.0])
def test_a_picture_that_is_wholly_grey_for_a_while_raises_nothing_and_hides_nobody_after(held_s, fps):
    def grey(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        return np.full_like(picture, 128) if 8 <= t_s < 8 + held_s else picture

    walk = Walk(start_s=22)
    looks = watch(pictures(25, fps, noise(2), walk, grey))
    assert 22 <= moving_from(looks) <= 23.5


def test_a_walker_is_still_one_walker_after_a_hanging_camera():
    looks = watch(pictures(14, 10, Walk(start_s=6), noise(2), scenes.frozen(8, 9)))
    (began_s, ended_s), = stretches(looks)
    assert 6 <= began_s <= 7.5 and ended_s > 13


@RATES
def test_somebody_who_stands_is_not_lost_to_infrared_nor_reported_while_it_settles(fps):
    stand = Walk(start_s=5, rest_s=8, sway_px=3)
    looks = watch(pictures(26, fps, stand, infrared(16), noise(1)))
    assert not any(look.moving for t, look in looks if Reason.SETTLING in look.reasons and t > 17.5)
    assert any(look.moving for t, look in looks if t > 20)


def rising(t_s: float) -> float:
    """A camera's gain as a lamp goes out: 1, then 30."""
    return 1.0 if t_s < 12 else 30.0


@RATES
def test_a_gain_that_is_told_makes_its_noise_expected(fps):
    times_s = [i / fps for i in range(round(16 * fps))]
    told = list(film(times_s, gain_noise(rising, 4), light=0.5, gain=rising))
    changed = [sum(look.score for t, look in watch(scene) if 12 <= t < 13)
               for scene in (told, [replace(luma, gain=None) for luma in told])]
    assert changed[0] < 0.8 * changed[1]
    assert moving_from(watch(told)) is None


def test_somebody_is_seen_in_the_noise_of_a_higher_gain():
    times_s = [i / 10 for i in range(200)]
    looks = watch(film(times_s, Walk(start_s=15), gain_noise(rising, 0.9), gain=rising))
    assert 15 <= moving_from(looks) <= 17


def test_a_gain_that_jumps_to_and_fro_makes_nobody_blind_for_good():
    def jumping(t_s: float) -> float:
        return 1.0 if t_s > 40 or round(t_s * 10) % 2 else 16.0

    times_s = [i / 10 for i in range(600)]
    looks = watch(film(times_s, Walk(start_s=55, x=20), noise(1), gain=jumping))
    assert 55 <= moving_from(looks) <= 57


def test_a_plain_wall_has_no_edges_to_compare_with():
    def plain(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        return np.full_like(picture, 130)

    looks = watch(pictures(9, 10, plain, Walk(start_s=5), noise(1)))
    assert 5 <= moving_from(looks) <= 6.5


def test_a_large_picture_says_the_same_as_a_small_one():
    small = list(pictures(9, 5, Walk(start_s=5), noise(2)))
    large = [Luma(luma.y.repeat(4, 0).repeat(4, 1), luma.mono_s) for luma in small]
    assert stretches(watch(large)) == stretches(watch(small))


def test_nothing_can_be_told_while_it_settles():
    looks = watch(pictures(3, 10, noise(2)))
    assert looks[0][1].blind and not looks[-1][1].blind
