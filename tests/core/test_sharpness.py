"""Which picture of an object is the better one."""
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Box
from agent.core.vision.luma import Luma
from agent.core.vision.motion.sharpness import sharpness, worth
from tests.scenes import Walk, noise, pictures

CROSSING = [*pictures(3, 5, Walk(start_s=0, x=100, px_per_s=28), noise(1))]
BOX = Box(0.3, 0.55, 0.15, 0.3)


def smeared(luma: Luma, px: int) -> Luma:
    """As if it had moved by that much during the exposure."""
    return replace(luma, plane=cv2.filter2D(luma.y, -1, np.full((1, px), 1 / px, np.float32)))


@pytest.mark.parametrize("number", range(0, len(CROSSING), 5))
def test_the_more_it_is_smeared_the_less_sharp_it_is(number: int):
    found = [sharpness(smeared(CROSSING[number], px), BOX) for px in (1, 5, 11)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.7 * found[0]


@pytest.mark.parametrize("light", [0.5, 1.5])
def test_the_light_changes_little(light: float):
    luma = CROSSING[5]
    other = replace(luma, plane=np.clip(luma.y * light, 0, 255).astype(np.uint8))
    assert sharpness(other, BOX) == pytest.approx(sharpness(luma, BOX), abs=0.2)


def test_large_and_sharp_and_whole_is_worth_more():
    luma = CROSSING[5]
    below = replace(luma, plane=np.tile(luma.y[:90], (2, 1)))
    larger, cut = BOX._replace(w=0.3), BOX._replace(y=1 - BOX.h)
    assert worth(luma, larger) > worth(luma, BOX) > worth(smeared(luma, 9), BOX) > 0
    assert worth(below, cut._replace(y=0.7)) < worth(below, cut._replace(y=0.2))


def test_a_flat_surface_is_worth_nothing():
    assert worth(Luma(np.full((90, 160), 100, np.uint8), 0.0), BOX) == 0


SHARES = st.floats(0, 1)


@given(st.tuples(SHARES, SHARES, SHARES, SHARES), st.sampled_from([(1, 1), (90, 160), (2, 500), (500, 3), (0, 0)]))
def test_any_box_in_a_picture_of_any_size_has_a_worth(sides: tuple[float, ...], shape: tuple[int, int]):
    y = np.random.default_rng(1).integers(0, 255, (2 * shape[0], shape[1]), np.uint8)[::2]
    assert 0 <= worth(Luma(y, 0.0), Box(*sides)) <= 1
