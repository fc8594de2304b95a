"""The waits between connections are those of the contract, whatever chance says."""
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.delivery.backoff import Backoff

CHANCE = st.floats(0, 1, exclude_max=True)


def test_the_longest_waits_are_the_contracts():
    backoff, start_s = Backoff().start(1.0)
    assert start_s == 3
    waits = []
    for _ in range(6):
        backoff, wait_s = backoff.failed(1.0)
        waits.append(wait_s)
    assert waits == [30, 15, 30, 60, 120, 120]


def test_losing_a_good_connection_forgets_earlier_failures():
    backoff = Backoff(failures_n=5)
    assert backoff.lost(lived_s=3600, draw=1.0)[1] == 30
    assert backoff.lost(lived_s=3600, draw=1.0)[0].failures_n == 1


def test_connections_that_never_last_wait_longer_and_longer():
    backoff, waits = Backoff(), []
    for _ in range(5):
        backoff, wait_s = backoff.lost(lived_s=2, draw=1.0)
        waits.append(wait_s)
    assert waits == [30, 15, 30, 60, 120]


def test_however_short_chance_makes_them_few_waits_fit_into_a_short_outage():
    backoff, waits = Backoff(), []
    for _ in range(6):
        backoff, wait_s = backoff.failed(0.0)
        waits.append(wait_s)
    assert waits == [0, 7.5, 15, 30, 60, 60]


@given(st.lists(CHANCE, min_size=4, max_size=4), st.floats(0, 22.5))
@example([0.05, 0.0, 0.0, 0.9], 10.0)
def test_half_a_minute_after_a_short_outage_everybody_has_tried(draws, away_s):
    backoff, tried_s = Backoff().lost(lived_s=3600, draw=draws[0])
    for draw in draws[1:]:
        if tried_s < away_s:
            backoff, wait_s = backoff.failed(draw)
            tried_s += wait_s
    assert away_s <= tried_s <= away_s + 30


@given(CHANCE, st.integers(0, 100))
def test_a_refusal_is_not_repeated_within_a_quarter_of_an_hour(draw, failures_n):
    _, wait_s = Backoff(failures_n=failures_n).refused(draw)
    assert 900 <= wait_s <= 3600


@given(st.lists(st.tuples(st.sampled_from(["failed", "lost", "refused", "start"]), CHANCE, st.floats(0, 1e6)),
                max_size=60))
def test_every_wait_is_bounded(steps):
    backoff = Backoff()
    for step, draw, lived_s in steps:
        backoff, wait_s = backoff.lost(lived_s, draw) if step == "lost" else getattr(backoff, step)(draw)
        assert 0 <= wait_s <= (3600 if step == "refused" else 120)
