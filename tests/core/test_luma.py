"""The brightness of one picture: full range in every size, whoever asks first."""
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.vision.luma import Luma
from agent.core.vision.motion import MotionSettings
from agent.core.vision.motion.picture import work_size
from tests.rigs.examples import examples

SIDES, SEEDS = st.integers(1, 400), st.integers(0, 2**32 - 1)


def limited(y: np.ndarray) -> Luma:
    """The same picture as video has it."""
    return Luma(np.rint(y * (219 / 255) + 16).astype(np.uint8), 0.0, limited=True)


def random(width: int, height: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)


@settings(max_examples=examples(40))
@given(SIDES, SIDES, SEEDS)
def test_limited_range_looks_like_full_range_in_any_size(width, height, seed):
    y = random(width, height, seed)
    size = work_size(y.shape, MotionSettings().work_px)
    far = np.abs(limited(y).shrunken(size).astype(int) - Luma(y, 0.0).shrunken(size))
    assert far.max() <= 2 and np.abs(limited(y).y.astype(int) - y).max() <= 1


@pytest.mark.parametrize("level, seen", [(0, 0), (16, 0), (235, 255), (255, 255)])
def test_what_is_blacker_than_black_is_black_and_what_is_whiter_than_white_is_white(level: int, seen: int):
    luma = Luma(np.full((360, 640), level, np.uint8), 0.0, limited=True)
    assert {*luma.shrunken((160, 90)).flat} == {*luma.part(slice(4), slice(None, None, 16)).flat} == {seen}


@settings(max_examples=examples(40))
@given(SIDES, SIDES, SEEDS, st.booleans())
def test_a_size_looks_the_same_whoever_else_asked_before(width, height, seed, large):
    y = random(4 * width if large else width, 4 * height if large else height, seed)
    sizes = [work_size(y.shape, longer_px) for longer_px in (320, 160, 80)]
    luma = limited(y)
    for size in sizes:
        found = luma.shrunken(size)
        assert found.shape == size[::-1]
        assert np.array_equal(found, limited(y).shrunken(size))


def test_each_pixel_is_the_mean_of_those_it_stands_for():
    y = random(640, 360, 1)
    mean = cv2.resize(y, (160, 90), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(Luma(y, 0.0).shrunken((160, 90)) - mean).max() <= 1
