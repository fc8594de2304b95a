"""The detector never raises and never leaves its bounds, whatever arrives."""
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.model import Point
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Look, MotionSettings
from agent.core.vision.replay.variant import Turns
from tests import scenes
from tests.rigs.examples import examples

TIMES = st.one_of(st.floats(0.001, 3.0), st.floats(), st.sampled_from([0.0, -1.0, math.inf, math.nan, 1e300]))
CHANGES = st.sampled_from(["noise", "black", "white", "same", "blocks", "strided"])
GAINS = st.one_of(st.none(), st.floats(1, 16), st.floats())
SIZES = st.tuples(st.integers(0, 70), st.integers(0, 90))
STATE_MAX_BYTES = 3_000_000     # a day's test holds a picture of the usual size to the same


def picture(change: str, shape: tuple[int, int], before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A luma plane of the wanted kind."""
    if change == "same" and before.shape == shape:
        return before
    if change == "black":
        return np.zeros(shape, np.uint8)
    if change == "white":
        return np.full(shape, 255, np.uint8)
    if change == "blocks":
        y = np.full(shape, 90, np.uint8)
        for top, left in rng.integers(0, 60, (5, 2)):
            y[top:top + 12, left:left + 9] = rng.integers(0, 255)
        return y
    if change == "strided":
        return rng.integers(0, 255, (2 * shape[0], 3 * shape[1]), np.uint8)[::-2, ::3]
    return rng.integers(0, 255, shape, np.uint8)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(CHANGES, st.one_of(st.just((48, 64)), SIZES), TIMES, GAINS), max_size=40),
       st.integers(0, 2**32 - 1))
def test_any_pictures_at_any_times(steps, seed):
    rng = np.random.default_rng(seed)
    detector = Detector(MotionSettings.for_people("high", 0.01))
    mono_s, y = 100.0, np.zeros((48, 64), np.uint8)
    for change, shape, dt_s, gain in steps:
        mono_s = mono_s + dt_s if math.isfinite(mono_s) else 100.0
        y = picture(change, shape, y, rng)
        look = detector.step(Luma(y, mono_s, gain=gain))
        assert 0.0 <= look.score <= 1.0
        assert bool(look.boxes) == look.moving
        assert 0 <= look.tracks_n <= MotionSettings().tracks_max
        for box in look.boxes:
            assert box.x >= 0 and box.y >= 0 and box.w > 0 and box.h > 0
            assert box.x + box.w <= 1 + 1e-9 and box.y + box.h <= 1 + 1e-9
        assert all(0.0 <= cell <= 1.0 for row in detector.busy(5, 4) for cell in row)
    assert len(pickle.dumps(detector)) <= STATE_MAX_BYTES


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.builds(Point, st.floats(-2, 3), st.floats(-2, 3)), min_size=3, max_size=12))
def test_any_polygon_may_be_ignored(corners):
    detector = Detector(MotionSettings(), [corners])
    rng = np.random.default_rng(1)
    for i in range(3):
        detector.step(Luma(rng.integers(0, 255, (90, 160), np.uint8), 1 + i / 10))


@pytest.mark.parametrize("polygon", [[Point(0, 0), Point(1, 1)], [Point(0, 0), Point(1, 1), Point(math.nan, 0)]])
def test_what_is_no_polygon_is_refused_at_once(polygon):
    with pytest.raises(ValueError, match="three or more corners"):
        Detector(MotionSettings(), [polygon])


RAINY_WALK = [luma.y for luma in scenes.pictures(5, 15, scenes.Walk(2.0), scenes.rain(15), scenes.noise(2))]


def looked_at(begun_mono_s: float, fps: float) -> list[tuple[int, Look]]:
    """Which of the walk's pictures the recorder looks at, and what is said of them, if the film begins then."""
    turns, detector, looks = Turns(fps), Detector(MotionSettings.for_people()), []
    for i, y in enumerate(RAINY_WALK):
        if turns.due(mono_s := begun_mono_s + i / 15):
            turns.took(mono_s)
            looks.append((i, detector.step(Luma(y, mono_s))))
    return looks


@settings(max_examples=examples(15), deadline=None)
@given(st.floats(0, 1e7), st.sampled_from([5.0, 10.0, 15.0]))
def test_when_the_clock_began_changes_nothing(begun_mono_s, fps):
    looks = looked_at(0.0, fps)
    assert any(look.moving for _, look in looks)
    assert looked_at(begun_mono_s, fps) == looks


def test_the_same_pictures_give_the_same_looks():
    rng = np.random.default_rng(7)
    planes = [rng.integers(0, 255, (90, 160), np.uint8) for _ in range(30)]
    first, second = Detector(MotionSettings()), Detector(MotionSettings())
    for i, y in enumerate(planes):
        assert first.step(Luma(y, i / 10)) == second.step(Luma(y, i / 10))
