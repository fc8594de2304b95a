"""Any rate: the settings speak of seconds, so what happens is told at the same second, however often there is one."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.vision.motion import Detector
from tests import scenes
from tests.core.motion_material import USUAL, moving_from, stretches, watch
from tests.rigs.examples import examples
from tests.scenes import Walk, film, noise, pictures

WALK = Walk(start_s=6, x=20, px_per_s=18, stop_s=16)
YARD_S = 46
YARD = [Walk(4, x=20, stop_s=10), Walk(17, x=300, px_per_s=-22, tall=60, stop_s=24), scenes.departing_car(32), noise(2)]


def latest_s(fps: float) -> float:
    """By when a walker has been seen: three sights take longer when they come slowly."""
    return WALK.start_s + max(1.5, 3 / fps)


@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0, 10.0, 15.0])
def test_a_walker_is_confirmed_within_the_same_seconds_and_followed_to_the_end(fps):
    (began_s, ended_s), = stretches(watch(pictures(20, fps, WALK, noise(2))))
    assert WALK.start_s <= began_s <= latest_s(fps)
    assert WALK.stop_s <= ended_s + 1 / fps and ended_s <= WALK.stop_s + 3


@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0, 10.0, 15.0])
@pytest.mark.parametrize("name", ["exposure", "hunting", "clouds", "rain", "shake"])
def test_weather_and_light_leave_every_rate_cold(name, fps):
    happening = {"exposure": scenes.exposure_step(6, 1.5), "hunting": scenes.hunting(5), "clouds": scenes.clouds(),
                 "rain": scenes.rain(), "shake": scenes.shake()}[name]
    assert stretches(watch(pictures(16, fps, happening, noise(2)))) == []


@settings(max_examples=examples(12))
@given(st.lists(st.sampled_from([1 / 15, 0.1, 0.2, 0.4]), min_size=4, max_size=12), st.integers(0, 2**16))
def test_a_rate_that_changes_all_the_time_changes_nothing(steps_s, seed):
    times_s = [t for t in np.cumsum(np.resize(steps_s, 200)).tolist() if t < 12]
    looks = watch(film(times_s, WALK, noise(2), seed=seed))
    assert WALK.start_s <= moving_from(looks) <= WALK.start_s + 2


def noise_that_counts(every_s: float, seed: int) -> float:
    """The mean share of a noisy picture that seems changed, after a minute of looks `every_s`."""
    detector, learned_s = Detector(USUAL), [i / 5 for i in range(26)] + np.arange(5.2, 60, every_s).tolist()
    watch(film(learned_s, noise(28), seed=seed), detector=detector)
    looks = watch(film([learned_s[-1] + i / 5 for i in range(1, 11)], noise(28), seed=seed + 1), detector=detector)
    return float(np.mean([look.score for _, look in looks]))


@pytest.mark.parametrize("every_s", [4.0, 8.0])
def test_rare_looks_learn_the_same_noise(every_s):
    rare, usual = (np.mean([noise_that_counts(each_s, seed) for seed in (1, 5, 9)]) for each_s in (every_s, 1.1))
    assert 0.85 <= rare / usual <= 1.2, f"{rare:.5f} against {usual:.5f}"


@pytest.mark.parametrize("gap_s", [2.0, 6.0, 11.0])
def test_a_gap_raises_nothing_and_a_walker_after_it_is_seen_as_soon(gap_s):
    times_s = [i / 10 for i in range(80)] + [8 + gap_s + i / 10 for i in range(60)]
    quiet = watch(film(times_s, scenes.hunting(0), noise(2)))
    walk = WALK._replace(start_s=10 + gap_s, stop_s=1e9)
    assert stretches(quiet) == []
    assert walk.start_s <= moving_from(watch(film(times_s, walk, noise(2)))) <= walk.start_s + 1.5


def test_half_the_pictures_tell_the_same_events():
    scene = list(pictures(YARD_S, 10, *YARD))
    all_of_them, half = stretches(watch(scene)), stretches(watch(scene[::2]))
    assert len(all_of_them) == 3
    assert np.allclose(all_of_them, half, atol=1.0)


@pytest.mark.parametrize("light", [0.5, 1.3])
def test_a_darker_or_brighter_day_tells_the_same_events(light):
    usual, other = (stretches(watch(pictures(YARD_S, 5, *YARD, light=one))) for one in (1.0, light))
    assert len(usual) == 3 and np.allclose(usual, other, atol=1.0)
