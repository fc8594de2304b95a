"""Where it is restless: learned, shown, forgotten when asked to and by itself."""
import numpy as np
import pytest

from agent.core.vision.motion import Detector
from tests import scenes
from tests.core.motion_material import RATES, USUAL, moving_from, watch
from tests.scenes import Walk, film, gusts, noise, pictures

COLUMNS, ROWS = 16, 9
HEDGE = 5               # columns of the hedge, and the half of one that its leaves reach


def grid(detector: Detector) -> np.ndarray:
    """The restlessness of each cell."""
    return np.array(detector.busy(COLUMNS, ROWS))


@pytest.fixture
def windy() -> Detector:
    """A detector after a minute of wind in the hedge."""
    detector = Detector(USUAL)
    watch(pictures(60, 10, gusts(9), noise(2)), detector=detector)
    return detector


def test_wind_in_the_hedge_makes_the_hedge_busy_and_nothing_else(windy):
    busy = grid(windy)
    assert busy.shape == (ROWS, COLUMNS)
    assert busy[:, :HEDGE].max(axis=0).min() > 0.01 and busy.max() > 0.1
    assert busy[:, HEDGE + 1:].max() == 0


def test_it_can_be_forgotten(windy):
    windy.forget_busy()
    assert grid(windy).max() == 0


def test_it_is_forgotten_by_itself_when_the_wind_has_gone(windy):
    full_s = USUAL.busy_max / USUAL.busy_fade_per_s
    before = grid(windy).max()
    quiet_s = [60 + 2 * i for i in range(round(full_s * before / 2) + 20)]
    half = len(quiet_s) // 2
    scene = list(film(quiet_s, noise(2)))
    watch(scene[:half], detector=windy)
    assert 0 < grid(windy).max() < before
    watch(scene[half:], detector=windy)
    assert grid(windy).max() == 0


def test_before_the_first_picture_there_is_nothing_to_show_or_forget():
    detector = Detector(USUAL)
    detector.forget_busy()
    assert detector.busy(4, 3) == []


@RATES
def test_laundry_on_the_line_leaves_it_cold_and_hides_nobody_beside_it(fps):
    looks = watch(pictures(30, fps, scenes.laundry(), Walk(start_s=20, x=20), noise(2)))
    assert 20 <= moving_from(looks) <= 21.5


def test_a_walker_before_a_busy_hedge_is_seen(windy):
    walk = Walk(start_s=3, x=10, tall=60)
    looks = watch(film([60 + i / 10 for i in range(100)], gusts(9), walk._replace(start_s=63), noise(2)),
                  detector=windy)
    assert 63 <= moving_from(looks) <= 66


def test_a_person_leaves_no_busy_place_behind():
    detector = Detector(USUAL)
    watch(pictures(16, 10, Walk(start_s=3, x=20), noise(2)), detector=detector)
    assert grid(detector).max() < 0.1
