"""Which picture of an object is the better one."""
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Box
from agent.core.vision.motion.sharpness import sharpness, worth
from tests.scenes import Walk, noise, pictures

CROSSING = [luma.y for luma in pictures(3, 5, Walk(start_s=0, x=100, px_per_s=28), noise(1))]
BOX = Box(0.3, 0.55, 0.15, 0.3)


def smeared(y: np.ndarray, px: int) -> np.ndarray:
    """As if it had moved by that much during the exposure."""
    return cv2.filter2D(y, -1, np.full((1, px), 1 / px, np.float32))


@pytest.mark.parametrize("y", CROSSING[::5])
def test_the_more_it_is_smeared_the_less_sharp_it_is(y: np.ndarray):
    found = [sharpness(smeared(y, px), BOX) for px in (1, 5, 11)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.7 * found[0]


@pytest.mark.parametrize("light", [0.5, 1.5])
def test_the_light_changes_little(light: float):
    y = CROSSING[5]
    other = np.clip(y * light, 0, 255).astype(np.uint8)
    assert sharpness(other, BOX) == pytest.approx(sharpness(y, BOX), abs=0.2)


def test_large_and_sharp_and_whole_is_worth_more():
    y = CROSSING[5]
    larger, cut = BOX._replace(w=0.3), BOX._replace(y=1 - BOX.h)
    assert worth(y, larger) > worth(y, BOX) > worth(smeared(y, 9), BOX) > 0
    assert worth(np.tile(y[:90], (2, 1)), cut._replace(y=0.7)) < worth(np.tile(y[:90], (2, 1)), cut._replace(y=0.2))


def test_a_flat_surface_is_worth_nothing():
    assert worth(np.full((90, 160), 100, np.uint8), BOX) == 0


SHARES = st.floats(0, 1)


@given(st.tuples(SHARES, SHARES, SHARES, SHARES), st.sampled_from([(1, 1), (90, 160), (2, 500), (500, 3), (0, 0)]))
def test_any_box_in_a_picture_of_any_size_has_a_worth(sides: tuple[float, ...], shape: tuple[int, int]):
    y = np.random.default_rng(1).integers(0, 255, (2 * shape[0], shape[1]), np.uint8)[::2]
    assert 0 <= worth(y, Box(*sides)) <= 1
