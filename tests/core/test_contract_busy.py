"""The language of busy areas: what was said is understood, what was cut off is noticed, more is never shown weaker."""
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.busy import COLUMNS, LARGEST_B, ROWS, STEPS, Busy, answer, level, parse

CELL = st.floats(0, 1)
GRID = st.lists(st.lists(CELL, min_size=COLUMNS, max_size=COLUMNS).map(tuple), min_size=ROWS, max_size=ROWS).map(tuple)


@given(GRID, st.booleans(), st.lists(st.sampled_from(["busy", "settling"]), unique=True).map(tuple))
def test_what_was_said_is_understood_whole_and_not_cut_off(grid, moving, silences):
    said = Busy(state="ok", grid=grid, width=640, height=360, moving=moving, silences=silences)
    data = answer(said)
    assert parse(data) == said and len(data) < LARGEST_B
    with pytest.raises(msgspec.DecodeError):
        parse(data[:-1])


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b'{"state":"fine"}\n', b'{"state":"ok","grid":7}\n', b"\xff\n"])
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(msgspec.DecodeError):
        parse(data)


@given(CELL, CELL)
def test_the_more_restless_the_stronger(one, other):
    assert (one <= other) <= (level(one) <= level(other))


def test_each_step_is_the_first_of_its_level():
    assert [level(value) for value in (0.0, *STEPS, 1.0)] == [0, 1, 2, 3, 3]
