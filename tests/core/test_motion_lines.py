"""Lines: an even way is told from chance and from insects, at any rate."""
from math import cos, sin

import numpy as np
import pytest

from agent.core.vision.motion.blobs import BLOB
from agent.core.vision.motion.lines import Lines
from tests import scenes
from tests.core.motion_material import RATES, moving_from, stretches, watch

SHAPE = 90, 160


SURE, STRAIGHT = 12.0, 3.4      # likelier than chance; straighter than an insect flies


def blob(x: float, y: float, area: int = 60, wide: int | None = None, tall: int | None = None) -> np.void:
    """A patch of about that many pixels around a point."""
    side = max(2, round(area ** 0.5))
    wide, tall = wide or side, tall or side
    one = np.zeros(1, BLOB)
    one["box"] = int(x) - wide // 2, int(y) - tall // 2, int(x) - wide // 2 + wide, int(y) - tall // 2 + tall
    one["at"], one["size"], one["area"] = (x, y), max(wide, tall), area
    return one[0]


def followed(pictures: list[list[np.void]], fps: float) -> list[np.ndarray]:
    """The lines (WAY) that are no chance and no insect in each picture; nothing is known of any patch."""
    lines, found = Lines(SHAPE, 6), []
    for i, blobs in enumerate(pictures):
        seen = np.array(blobs, BLOB)
        ways = lines.step(seen, np.ones(len(seen), bool), len(seen), i / fps, 1 / fps)
        found.append(ways[(ways["score"] > SURE) & (ways["straight"] > STRAIGHT)])
    return found


@pytest.mark.parametrize("fps", [5.0, 7.0, 10.0, 15.0])
def test_an_even_way_is_certain_within_a_second(fps):
    speed = 75.0
    found = followed([[blob(5 + speed * i / fps, 60 - 0.1 * speed * i / fps)] for i in range(round(2 * fps))], fps)
    first = next(i for i, ways in enumerate(found) if len(ways))
    assert 0.3 <= first / fps <= 1.0
    assert found[first][0]["speed"][0] == pytest.approx(speed, rel=0.1) and len(found[-1])


def test_something_that_comes_nearer_and_turns_is_on_its_way_too():
    path, x, y = [], 20.0, 30.0
    for i in range(15):
        speed, angle = 4 * 1.05 ** i, 0.05 * i
        x, y = x + speed * cos(angle), y + speed * sin(angle)
        path.append([blob(x, y, round(16 * 1.1 ** i))])
    assert any(map(len, followed(path, 10)))


@RATES
def test_what_is_tall_and_narrow_is_on_its_way(fps):
    """It hardly overlaps itself, though it goes only a quarter of its height from one picture to the next."""
    ride = [[blob(x, 46.0, 34, wide=6, tall=12)]
            for x in (5 + 34 * i / fps for i in range(round(2 * fps)))]
    found = followed(ride, fps)
    assert next(i for i, ways in enumerate(found) if len(ways)) / fps <= 1.5


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0])
def test_what_flies_in_bows_is_on_no_way_however_many_pictures_show_it(fps):
    """From one picture to the next its way is straight; not over half a second."""
    flight = [[blob(80 + 25 * cos(2.6 * i / fps), 45 + 18 * sin(5.2 * i / fps), 20)] for i in range(round(30 * fps))]
    assert not any(map(len, followed(flight, fps)))


def test_rain_is_on_no_way():
    rng = np.random.default_rng(3)
    rain = [[blob(*rng.uniform((3, 3), (157, 87)), rng.integers(6, 30)) for _ in range(rng.poisson(12))]
            for _ in range(600)]
    assert not any(map(len, followed(rain, 10)))


def test_what_darts_about_is_hardly_ever_on_a_way_however_long_it_is_there():
    rng = np.random.default_rng(4)
    x, y, angle, path = 80.0, 45.0, 0.0, []
    for _ in range(600):
        angle += rng.normal(0, 0.9)
        x, y = (x + 7 * cos(angle)) % 150 + 4, (y + 7 * sin(angle)) % 80 + 4
        path.append([blob(x, y, 20)])
    assert sum(map(len, followed(path, 10))) < 0.01 * len(path)


@RATES
@pytest.mark.parametrize(("long", "lengths_per_s"), [(16, 6), (16, 9), (24, 10), (20, 5)])
def test_a_distant_motorbike_is_seen_though_it_overlaps_itself_nowhere(fps, long, lengths_per_s):
    passes = scenes.motorbike(4.0, long, lengths_per_s)
    begun_s = moving_from(watch(scenes.pictures(9, fps, passes, scenes.noise(1.5))))
    assert begun_s is not None and begun_s - 4.0 <= min(1.4, scenes.WIDTH / long / lengths_per_s)


def test_it_is_one_motion_from_then_until_it_has_gone():
    passes = scenes.motorbike(4.0, 20, 6)
    gone_s = 4.0 + scenes.WIDTH / (20 * 6)
    ((_, end_s),) = stretches(watch(scenes.pictures(10, 10, passes, scenes.noise(1.5))))
    assert gone_s - 0.3 <= end_s <= gone_s + 1.2


def test_a_crisp_spot_in_a_wide_faint_halo_is_no_larger_than_the_spot():
    """In the dark three grey levels are much contrast: with its halo this moth would be as large as a person."""
    def moth(picture, t_s, rng):
        if t_s < 3:
            return picture
        y, x = np.mgrid[:scenes.HEIGHT, :scenes.WIDTH]
        far = np.hypot(x - 160 - 60 * sin(5.1 * t_s), y - 90 - 40 * cos(7.3 * t_s))
        return picture + 4 * np.exp(-(far / 22) ** 2) + 150 * (far < 3)

    looks = watch(scenes.pictures(10, 10, lambda picture, t_s, rng: 0.06 * picture, moth, scenes.noise(1)))
    assert not any(look.moving for _, look in looks)
