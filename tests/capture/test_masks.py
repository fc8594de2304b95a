"""Privacy masks hide what they should, and little else."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cameras.masks import Masks

side = st.integers(16, 90)
fraction = st.floats(0, 1)
polygon = st.lists(st.tuples(fraction, fraction), min_size=3, max_size=6)


def painted(masks: Masks, width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = np.full((height, width), 200, np.uint8)
    u, v = (np.full(((height + 1) // 2, (width + 1) // 2), value, np.uint8) for value in (90, 160))
    masks.paint(y, u, v)
    return y, u, v


def test_a_rectangle_is_black_and_the_rest_untouched() -> None:
    y, u, v = painted(Masks([[(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]], 640, 360), 640, 360)
    assert (y[90:270, 160:480] == 16).all() and (u[45:135, 80:240] == 128).all() and (v[45:135, 80:240] == 128).all()
    assert (y[:84] == 200).all() and (y[276:] == 200).all() and (y[:, :154] == 200).all() and (y[:, 486:] == 200).all()
    assert (u[:42] == 90).all() and (v[:, 243:] == 160).all()


@given(polygon, side, side)
def test_every_pixel_on_the_edge_of_a_polygon_is_hidden(corners: list[tuple[float, float]], width: int,
                                                        height: int) -> None:
    y, u, _ = painted(Masks([corners], width, height), width, height)
    ends = np.array([*corners, corners[0]]) * (width, height)
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        for x, row in np.linspace(begin, end, 50):
            column, line = min(int(x), width - 1), min(int(row), height - 1)
            assert y[line, column] == 16 and u[line // 2, column // 2] == 128


@given(polygon, side, side)
def test_luma_and_chroma_agree(corners: list[tuple[float, float]], width: int, height: int) -> None:
    y, u, v = painted(Masks([corners], width, height), width, height)
    hidden = np.repeat(np.repeat(u == 128, 2, 0), 2, 1)[:height, :width]
    assert ((y == 16) == hidden).all() and ((v == 128) == (u == 128)).all()


def test_no_mask_is_false_and_a_bad_one_refused() -> None:
    assert not Masks([], 320, 180) and Masks([[(0, 0), (1, 0), (1, 1)]], 320, 180)
    with pytest.raises(ValueError, match="three or more corners"):
        Masks([[(0, 0), (1, 1)]], 320, 180)
