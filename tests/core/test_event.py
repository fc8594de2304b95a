"""The event machine, by its table and by stories."""
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agent.core.vision.event import TABLE, EventMachine, EventOrder, EventSight, State


def test_every_pair_of_state_and_sight_is_in_the_table():
    assert set(TABLE) == set(product(State, EventSight))


def orders(machine: EventMachine, story: list[tuple[float, bool]]) -> list[tuple[float, EventOrder]]:
    given_out = []
    for at, moving in story:
        machine, order = machine.step(moving, at)
        if order is not None:
            given_out.append((at, order))
    return given_out


def test_motion_opens_and_stillness_closes():
    machine = EventMachine(over_after_s=5, longest_s=100)
    story = [(0, False), (1, True), (2, False), (5.9, False), (6, False), (7, False)]
    assert orders(machine, story) == [(1, EventOrder.OPEN), (6, EventOrder.CLOSE)]


def test_motion_that_returns_in_time_is_the_same_event():
    machine = EventMachine(over_after_s=5, longest_s=100)
    assert orders(machine, [(1, True), (3, False), (5.5, True), (10, False), (10.5, False)]) == [
        (1, EventOrder.OPEN), (5.5, EventOrder.EXTEND), (10.5, EventOrder.CLOSE)]


def test_an_event_that_is_too_long_goes_on_as_another():
    machine = EventMachine(over_after_s=5, longest_s=10)
    assert [order for _, order in orders(machine, [(float(t), True) for t in range(25)])].count(EventOrder.TURN) == 2


def test_after_an_event_motion_opens_no_other_one_until_it_has_cooled_down():
    machine = EventMachine(over_after_s=5, longest_s=100, cool_down_s=10)
    story = [(1, True), (6, False), (7, True), (12, False), (15.9, True), (16, True), (17, True)]
    assert orders(machine, story) == [
        (1, EventOrder.OPEN), (6, EventOrder.CLOSE), (16, EventOrder.OPEN), (17, EventOrder.EXTEND)]


def test_what_returns_within_the_merge_gap_and_what_is_too_long_are_not_cooled_down():
    machine = EventMachine(over_after_s=5, longest_s=10, cool_down_s=60)
    story = [(1, True), (4, False), (5.5, True), (11, True), (12, True), (17, False)]
    assert orders(machine, story) == [
        (1, EventOrder.OPEN), (5.5, EventOrder.EXTEND), (11, EventOrder.TURN), (12, EventOrder.EXTEND),
        (17, EventOrder.CLOSE)]


def test_what_each_sight_does_in_each_state():
    """Whatever is seen: motion opens or extends, stillness closes once it is long, and nothing else is done."""
    opens = {(State.QUIET, seen) for seen in (EventSight.MOTION, EventSight.TOO_LONG)}
    busy = (State.ACTIVE, State.TRAILING)
    assert {pair for pair, (_, order) in TABLE.items() if order is EventOrder.OPEN} == opens
    closing = {pair for pair, (_, order) in TABLE.items() if order is EventOrder.CLOSE}
    assert closing == {(s, EventSight.OVER) for s in busy}
    turning = {pair for pair, (_, order) in TABLE.items() if order is EventOrder.TURN}
    assert turning == {(s, EventSight.TOO_LONG) for s in busy}
    assert {pair for pair, (_, order) in TABLE.items() if order is EventOrder.EXTEND} == set(
        product(busy, (EventSight.MOTION, EventSight.TOO_SOON)))
    for (state, seen), (after, order) in TABLE.items():
        moving = (seen in (EventSight.MOTION, EventSight.TOO_LONG)
                  or seen is EventSight.TOO_SOON and state is not State.QUIET)
        assert (after is State.ACTIVE) == moving
        assert (after is State.QUIET) == (order is EventOrder.CLOSE or state is State.QUIET and not moving)


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80), st.floats(0, 60))
def test_opens_and_closes_alternate_whatever_happens(steps: list[tuple[float, bool]], cool_down_s: float):
    machine, now, is_open, closed = EventMachine(5, 20, cool_down_s), 0.0, False, float("-inf")
    for wait, moving in steps:
        now += wait
        machine, order = machine.step(moving, now)
        if order is EventOrder.OPEN:
            assert not is_open and now - closed >= cool_down_s
            is_open = True
        elif order is EventOrder.CLOSE:
            assert is_open and now - machine.last_motion_mono_s >= 5
            is_open, closed = False, now
        elif order is not None:
            assert is_open
        assert is_open or not moving or now - closed < cool_down_s
    assert is_open == (machine.state is not State.QUIET)
