"""Vehicles: the fast one that never overlaps itself, the one that parks, the one that drives off."""
import pytest

from agent.core.vision.luma import Luma
from tests import scenes
from tests.core.motion_material import RATES, inside, stretches, watch
from tests.scenes import HEIGHT, WIDTH, noise, pictures

LONG_PX = 34.0


def motorbike_scene(fps: float, lengths_per_s: float = 6.0) -> list[Luma]:
    """A motorbike comes after six seconds."""
    return list(pictures(13, fps, scenes.motorbike(6, LONG_PX, lengths_per_s), noise(2)))


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0])
@pytest.mark.parametrize("lengths_per_s", [2.0, 4.0, 6.0])
def test_a_motorbike_is_seen_once_and_soon(lengths_per_s, fps):
    (began_s, ended_s), = stretches(watch(motorbike_scene(fps, lengths_per_s)))
    across_s = WIDTH / (LONG_PX * lengths_per_s)
    assert 6 <= began_s <= 7.1
    assert ended_s <= 6 + across_s + 1.3


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0])
def test_its_box_is_where_it_is(fps):
    looks = [(t, look) for t, look in watch(motorbike_scene(fps)) if 6.7 <= t <= 7.4]
    where = [(LONG_PX * (6 * (t - 6) - 0.5) / WIDTH, (150 - LONG_PX / 2) / HEIGHT) for t, _ in looks]
    met = [inside(look, *at) for (_, look), at in zip(looks, where, strict=True)]
    assert sum(met) >= 0.8 * len(met)


@RATES
def test_a_car_that_drives_off_is_seen_and_leaves_nothing_behind(fps):
    (began_s, ended_s), = stretches(watch(pictures(22, fps, scenes.departing_car(8), noise(2))))
    assert 8 <= began_s <= 9
    assert 11 <= ended_s <= 12.5                # it is out of the picture after 11.3


@RATES
def test_a_car_that_parks_and_one_that_stood_there_are_background(fps):
    looks = watch(pictures(26, fps, scenes.departing_car(1e9, x=180), scenes.car(8, 10.5), noise(2)))
    (began_s, ended_s), = stretches(looks)
    assert 8 <= began_s <= 9 and ended_s <= 15
