"""The first look may save work, never a sight: with and without it the detector must find the same, as soon."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Look, MotionSettings
from tests import scenes
from tests.rigs.examples import examples
from tests.scenes import Walk, noise, pictures

USUAL = MotionSettings.for_people()
ALWAYS_FULL = replace(USUAL, calm_s=0.0)
# Learned once a second, the scene's noise is estimated a little differently: what is at the very limit may be lost.
BEYOND_DOUBT = replace(ALWAYS_FULL, grow_deviations=1.25 * USUAL.grow_deviations,
                       seed_deviations=1.25 * USUAL.seed_deviations)
RATES = pytest.mark.parametrize("fps", [5.0, 10.0])


def watch(scene: list[Luma], settings: MotionSettings) -> list[Look]:
    detector = Detector(settings)
    return [detector.step(luma) for luma in scene]


def both(scene: list[Luma]) -> tuple[list[Look], list[Look]]:
    """What is seen with first looks, and without."""
    return watch(scene, USUAL), watch(scene, ALWAYS_FULL)


def saved_n(looks: list[Look]) -> int:
    """First looks that were enough: the answer is that of the latest full look."""
    return sum(look is before for before, look in zip(looks, looks[1:], strict=False))


def first_n(looks: list[Look], seen: str) -> int:
    """Number of the first picture with a thing followed ("tracks_n") or moving ("moving")."""
    return next(number for number, look in enumerate(looks) if getattr(look, seen))


@RATES
def test_a_quiet_night_costs_few_full_looks(fps):
    looks, full = both(list(pictures(30, fps, noise(1.5), light=0.25)))
    assert saved_n(looks) >= 0.6 * len(looks)
    assert saved_n(full) == 0


@RATES
@pytest.mark.parametrize("level", [60, 76, 80])
def test_a_faint_slow_walker_in_the_night_is_seen_as_soon_as_without(level, fps):
    walk = Walk(start_s=60, x=110, px_per_s=9, tall=30, level=level)
    looks, full = both(list(pictures(70, fps, walk, noise(1.5), light=0.25)))
    assert saved_n(looks) >= 0.6 * 60 * fps
    for seen in ("tracks_n", "moving"):
        assert first_n(full, seen) >= 60 * fps
        assert first_n(looks, seen) <= first_n(full, seen) + 1


@RATES
def test_a_slow_cloud_over_a_quiet_minute_raises_nothing(fps):
    looks = watch(list(pictures(60, fps, scenes.clouds(px_per_s=4), noise(1.5))), USUAL)
    assert saved_n(looks) > 0
    assert not any(look.moving for look in looks)


def test_a_car_that_parks_after_a_quiet_time_is_absorbed_as_soon_as_without():
    looks, full = both(list(pictures(80, 5, scenes.car(start_s=30, stop_s=33), noise(1.5))))
    last = [max(number for number, look in enumerate(each) if look.moving) for each in (looks, full)]
    assert 33 * 5 < last[1] < 40 * 5
    assert abs(last[0] - last[1]) <= 2
    assert saved_n(looks[-25:]) > 0         # its place, which is watched more closely for a while, is forgotten


@settings(max_examples=examples(25), deadline=None)
@given(x=st.integers(0, 270), y=st.integers(0, 150), w=st.integers(3, 50), h=st.integers(3, 30),
       levels=st.floats(-60, 60), deviation=st.floats(0.5, 4), light=st.floats(0.15, 2), gain=st.floats(0.9, 1.1))
def test_whatever_appears_is_followed_from_the_same_picture_on(x, y, w, h, levels, deviation, light, gain):
    def appear(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s >= 9.6:
            picture[y:y + h, x:x + w] += levels
            picture *= gain
        return picture

    scene = list(pictures(10.2, 5, appear, noise(deviation), light=light))
    looks, full = watch(scene, USUAL), watch(scene, BEYOND_DOUBT)
    found, found_full = ({n for n, look in enumerate(each) if look.tracks_n and n >= 48} for each in (looks, full))
    assert not found_full or (found and min(found) <= min(found_full) + 1)
