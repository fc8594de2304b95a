"""What goes on around a camera all day leaves the tamper watch cold."""
from math import exp

import numpy as np
import pytest

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import TamperWatch
from agent.core.vision.tamper.sight import Eye
from tests import scenes
from tests.core.tamper_material import from_then, infrared, lamp_beside, lorry, starts, watch
from tests.scenes import Walk, noise, pictures, yard

AT_S = 45.0
QUIET = {
    "noise": [noise(6)],
    "brighter": [scenes.exposure_step(AT_S, 1.5), noise(2)],
    "darker": [scenes.exposure_step(AT_S, 0.35), noise(2)],
    "lights_out": [scenes.exposure_step(AT_S, 0.06), noise(3)],
    "clouds": [scenes.clouds(), noise(2)],
    "gusts": [from_then(AT_S, scenes.gusts()), noise(2)],
    "rain": [from_then(AT_S, scenes.rain()), noise(2)],
    "downpour": [from_then(AT_S, scenes.rain(300)), noise(2)],
    "headlights": [scenes.headlights(AT_S), scenes.headlights(AT_S + 15), noise(2)],
    "shake": [from_then(AT_S, scenes.shake()), noise(2)],
    "infrared": [infrared(AT_S), noise(3)],
    "lamp": [lamp_beside(AT_S), noise(2)],
    "lorry": [lorry(AT_S), noise(2)],
    "walkers": [*(Walk(start_s=5.0 * n, x=-20) for n in range(1, 24)), noise(2)],
    "somebody_near": [Walk(start_s=AT_S, x=60, y=250, px_per_s=8, tall=300), noise(2)],
}


@pytest.mark.parametrize("name", QUIET)
def test_weather_light_and_people_leave_it_cold(name):
    assert watch(pictures(130, 1, *QUIET[name])) == []


@pytest.mark.parametrize("name", ["noise", "rain", "headlights", "shake", "lorry", "walkers"])
def test_at_night_too(name):
    assert watch(pictures(130, 1, *QUIET[name], scenes.insects(), light=0.3)) == []


@pytest.mark.parametrize("fps", [3.0, 15.0])
def test_at_any_rate(fps):
    assert watch(pictures(70, fps, scenes.clouds(), lorry(30), noise(2))) == []


def test_lights_that_change_every_minute_become_views_of_their_own():
    def flip(picture, t_s, rng):
        return picture * np.float32((1.0, 0.3, 1.6, 0.12, 0.6)[int(t_s / 100) % 5])

    assert watch(pictures(1500, 0.5, flip, infrared(700), noise(2))) == []


def test_a_wall_without_structure_says_nothing_when_it_is_covered():
    rng = np.random.default_rng(1)
    planes = (np.full((180, 320), 120 if i < 60 else 40) + rng.normal(0, 2, (180, 320)) for i in range(120))
    assert watch(Luma(plane.astype(np.uint8), scenes.START_MONO_S + i) for i, plane in enumerate(planes)) == []


def test_it_looks_seldom_while_all_is_as_usual_and_closely_once_something_is_wrong(monkeypatch):
    looked_s, sight = [], Eye.sight
    monkeypatch.setattr(Eye, "sight", lambda eye, luma: (looked_s.append(luma.mono_s), sight(eye, luma))[1])
    watch(pictures(180, 2.5, from_then(160, lambda picture, t_s, rng: picture * 0), noise(2)))
    looked_s = [at_s - scenes.START_MONO_S for at_s in looked_s]
    assert sum(130 <= at_s < 160 for at_s in looked_s) == pytest.approx(7.5, abs=1)
    assert sum(at_s >= 162 for at_s in looked_s) == pytest.approx(15, abs=1)     # every third picture, 1.2 s apart


def test_black_pictures_do_not_hang():
    assert watch(Luma(np.full((180, 320), 16, np.uint8), scenes.START_MONO_S + i) for i in range(60)) == []


def daylight(hour: float) -> float:
    """How bright the yard is, 0..1: dawn about six, dusk about twenty, three quarters of an hour each."""
    return 1 / (1 + exp(-(hour - 6) / 0.15)) / (1 + exp((hour - 20) / 0.15))


@pytest.mark.parametrize("lamps", [False, True])
def test_a_day_from_dawn_to_night(lamps):
    """Two pictures a minute; the sun's shadow wanders, and at night the picture is noise, or infrared takes over."""
    rng, empty = np.random.default_rng(4), yard(3)
    right = np.arange(scenes.WIDTH, dtype=np.float32)
    to_infrared = infrared(0.0)
    grains = [rng.normal(0, 1, empty.shape).astype(np.float32) for _ in range(16)]
    guard, told = TamperWatch(), []
    for i in range(24 * 120):
        hour = i / 120
        light = daylight(hour)
        picture = empty.copy()
        if light > 0.2:
            picture[100:150] *= np.where(abs(right - 40 - 18 * (hour - 6)) < 30, 0.6, 1.0)
        dark = lamps and light < 0.1
        picture = to_infrared(picture, 0.0, rng) if dark else picture * (0.004 + light)
        picture = picture + np.roll(grains[i % 16], 7 * i) * np.float32(1.5 + 3 * (1 - light))
        told += guard.step(Luma(np.clip(picture, 0, 255).astype(np.uint8), 30.0 * i))
    assert told == []
    assert guard.now == frozenset()


def test_a_camera_that_was_covered_before_the_start_is_silent():
    scene = pictures(60, 2, lambda picture, t_s, rng: np.full_like(picture, 60), noise(2))
    assert starts(watch(scene)) == []
