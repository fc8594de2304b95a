"""The card's life: a range with its assumptions, and silence where nothing is known."""
import pytest

from agent.core.health.forecast import LIFE_DAYS_MAX, life_days

GB = 1_000_000_000


def test_an_unrated_card_takes_300_times_its_size():
    worst, best = life_days(64 * GB, 0, 21.6 * GB)
    assert (worst / 365, best / 365) == pytest.approx((0.8, 2.0), abs=0.05)     # see docs/design/health.md


def test_what_the_maker_promises_counts_instead():
    worst, best = life_days(64 * GB, 58, 21.6 * GB)
    assert (worst / 365, best / 365) == pytest.approx((2.5, 6.2), abs=0.1)


def test_a_card_that_is_not_written_to_lasts_a_hundred_years():
    assert life_days(64 * GB, 0, 0.0) == (LIFE_DAYS_MAX, LIFE_DAYS_MAX)


@pytest.mark.parametrize(("total_b", "b_per_day"), [(None, 1.0), (0, 1.0), (64 * GB, None), (64 * GB, -1.0)])
def test_what_is_unknown_is_not_made_up(total_b, b_per_day):
    assert life_days(total_b, 0, b_per_day) is None
