"""The event machine, by its table and by stories."""
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agent.core.event import TABLE, EventMachine, Order, Seen, State


def test_every_pair_of_state_and_sight_is_in_the_table():
    assert set(TABLE) == set(product(State, Seen))


def orders(machine: EventMachine, story: list[tuple[float, bool]]) -> list[tuple[float, Order]]:
    given_out = []
    for at, moving in story:
        machine, order = machine.step(moving, at)
        if order is not None:
            given_out.append((at, order))
    return given_out


def test_motion_opens_and_stillness_closes():
    machine = EventMachine(over_after_s=5, longest_s=100)
    story = [(0, False), (1, True), (2, False), (5.9, False), (6, False), (7, False)]
    assert orders(machine, story) == [(1, Order.OPEN), (6, Order.CLOSE)]


def test_motion_that_returns_in_time_is_the_same_event():
    machine = EventMachine(over_after_s=5, longest_s=100)
    assert orders(machine, [(1, True), (3, False), (5.5, True), (10, False), (10.5, False)]) == [
        (1, Order.OPEN), (5.5, Order.EXTEND), (10.5, Order.CLOSE)]


def test_an_event_that_is_too_long_goes_on_as_another():
    machine = EventMachine(over_after_s=5, longest_s=10)
    assert [order for _, order in orders(machine, [(float(t), True) for t in range(25)])].count(Order.TURN) == 2


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80))
def test_opens_and_closes_alternate_whatever_happens(steps: list[tuple[float, bool]]):
    machine, now, is_open = EventMachine(5, 20), 0.0, False
    for wait, moving in steps:
        now += wait
        machine, order = machine.step(moving, now)
        if order is Order.OPEN:
            assert not is_open
            is_open = True
        elif order is Order.CLOSE:
            assert is_open and now - machine.last_motion_mono_s >= 5
            is_open = False
        elif order is not None:
            assert is_open
    assert is_open == (machine.state is not State.QUIET)
