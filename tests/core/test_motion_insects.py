"""Insects: near the lens they are soft, in the lamp's light they turn about; neither is anybody."""
import pytest

from tests import scenes
from tests.core.motion_material import RATES, moving_from, stretches, watch
from tests.scenes import Walk, noise, pictures

DUSK = {"light": 0.35}


@pytest.mark.parametrize("fps", [2.0, 5.0, 10.0, 15.0])
def test_what_crawls_over_the_pane_leaves_it_cold(fps):
    assert stretches(watch(pictures(26, fps, scenes.crawler(6), noise(1), **DUSK))) == []


@RATES
@pytest.mark.parametrize("radius", [10.0, 13.0, 16.0])
@pytest.mark.parametrize("level", [-70.0, 40.0, 120.0])
def test_a_light_or_dark_one_of_any_size_does(radius, level, fps):
    light = {"light": 1.0} if level < 0 else DUSK
    scene = pictures(20, fps, scenes.crawler(6, px_per_s=20, radius=radius, level=level), noise(1), **light)
    assert stretches(watch(scene)) == []


@RATES
def test_moths_at_a_lamp_are_taken_for_somebody_once_at_the_most(fps):
    looks = watch(pictures(25, fps, scenes.moths(5), noise(1), **DUSK))
    assert sum(end_s - start_s for start_s, end_s in stretches(looks)) <= 1.5


@RATES
@pytest.mark.parametrize("name", ["insects", "crawler", "moths"])
def test_a_walker_is_seen_among_them(name, fps):
    there = {"insects": scenes.insects(), "crawler": scenes.crawler(6), "moths": scenes.moths(5)}[name]
    looks = watch(pictures(16, fps, Walk(start_s=12), there, noise(1), light=0.5))
    first_s = moving_from([(t, look) for t, look in looks if t >= 12])
    assert first_s is not None and first_s <= 13.5
