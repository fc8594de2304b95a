"""Days left and days kept: silent until they are known, honest about a card that does not fill."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.health import forecast
from agent.core.health.conditions import Condition
from agent.core.health.forecast import DAYS_MAX, SAMPLES_N_MAX, RecordingRate, Trend, days_kept, days_left

GB = 1_000_000_000
HOUR_S = 3600.0


def filled(*looks):
    """The rate after looks at (hours, free gigabytes)."""
    rate = Trend()
    for hours, free_gb in looks:
        rate = rate.add(None if free_gb is None else int(free_gb * GB), hours * HOUR_S)
    return rate


def test_under_an_hour_nothing_is_known():
    assert filled().falls_b_per_day is None
    assert filled((0, 50), (0.5, 49), (0.95, 48)).falls_b_per_day is None
    assert days_left(50 * GB, 64 * GB, 10, None) is None


def test_a_card_that_fills_says_when_it_reaches_the_floor():
    rate = filled((0, 50), (6, 45), (12, 40))
    assert rate.falls_b_per_day == pytest.approx(20 * GB)
    assert days_left(40 * GB, 100 * GB, 10, rate.falls_b_per_day) == pytest.approx(1.5)


def test_a_card_that_does_not_fill_lasts_a_year_or_more():
    assert days_left(7 * GB, 64 * GB, 10, filled((0, 7), (24, 7)).falls_b_per_day) == DAYS_MAX
    assert days_left(7 * GB, 64 * GB, 10, filled((0, 5), (24, 7)).falls_b_per_day) == DAYS_MAX


def test_below_the_floor_none_is_left():
    assert days_left(5 * GB, 64 * GB, 10, 1.0 * GB) == 0


def test_only_the_last_day_counts():
    rate = filled(*((hour, 100 - hour) for hour in range(48)), *((hour, 53) for hour in range(48, 80)))
    assert abs(rate.falls_b_per_day) < GB


def test_a_counter_that_rises_is_told_as_it_is():
    assert filled((0, 50), (6, 45), (12, 40)).rises_b_per_day == pytest.approx(-20 * GB)
    assert filled((0, 0), (12, 40)).rises_b_per_day == pytest.approx(80 * GB)


def test_footage_stays_as_long_as_wanted_where_there_is_room():
    flows = {"gate": RecordingRate(1 * GB, 0), "yard": RecordingRate(0, 4 * GB), "off": RecordingRate(0, 0)}
    assert days_kept(100 * GB, flows, 10, 3) == {"gate": 10, "yard": 3}


def test_a_camera_that_records_much_shortens_its_own_days_and_no_other_s():
    flows = {"gate": RecordingRate(1 * GB, 0), "road": RecordingRate(20 * GB, 0)}
    assert days_kept(60 * GB, flows, 10, 3) == pytest.approx({"gate": 10, "road": 2.5})


def test_days_of_events_are_told_where_there_are_any():
    assert days_kept(20 * GB, {"gate": RecordingRate(1 * GB, 10 * GB)}, 10, 3) == pytest.approx({"gate": 5})


def test_without_room_nothing_stays():
    assert days_kept(0, {"gate": RecordingRate(1 * GB, 0)}, 10, 3) == {"gate": 0}


@given(st.lists(st.tuples(st.floats(0, 7200), st.one_of(st.none(), st.integers(0, 10**12))), max_size=400))
def test_memory_is_bounded_and_the_answer_is_a_number_of_days_or_none(steps):
    rate, now_mono_s, latest = Trend(), 0.0, None
    for wait_s, free_b in steps:
        now_mono_s += wait_s
        rate, latest = rate.add(free_b, now_mono_s), free_b
    assert len(rate.samples) <= SAMPLES_N_MAX
    days = days_left(latest, 10**12, 10, rate.falls_b_per_day)
    assert days is None or 0 <= days <= DAYS_MAX


WELL = {"worn_pct": None, "lifetime_b": None, "rated_tb": 0.0, "b_per_day": None, "ill_days_n": 0}


@pytest.mark.parametrize(("known", "sign"), [
    ({}, None), ({"ill_days_n": None}, None),
    ({"worn_pct": 89}, None), ({"worn_pct": 90}, "worn: 90 %"), ({"worn_pct": 100}, "worn: 100 %"),
    ({"lifetime_b": 10**15}, None),                                                     # nobody has promised anything
    ({"lifetime_b": 57 * 10**12, "rated_tb": 58.0}, None),
    ({"lifetime_b": 57 * 10**12, "rated_tb": 58.0, "b_per_day": 1e11}, None),
    ({"lifetime_b": 57.4 * 10**12, "rated_tb": 58.0, "b_per_day": 1e11}, "written: 57.4 of 58 TB"),     # in six days
    ({"lifetime_b": 60 * 10**12, "rated_tb": 58.0}, "written: 60.0 of 58 TB"),
    ({"ill_days_n": 1}, None), ({"ill_days_n": 2}, None), ({"ill_days_n": 3}, "trouble: 3 of 14 days"),
])
def test_a_card_s_end_is_told_by_a_sign_and_never_by_one_bad_day(known, sign):
    assert forecast.end_in_sight(**(WELL | known)) == sign


@pytest.mark.parametrize(("code", "severity", "slow", "points"), [
    ("card_io", "alarm", False, forecast.ILL_DAY_POINTS), ("card_io", "warn", False, 0),        # of an earlier life
    ("card_hung", "alarm", True, forecast.ILL_DAY_POINTS), ("card_read_only", "alarm", False, forecast.ILL_DAY_POINTS),
    ("card_drops_writes", "alarm", False, forecast.ILL_DAY_POINTS), ("card_full", "alarm", False, 0),
    ("card_missing", "alarm", False, 0), ("hot", "warn", True, 1), ("hot", "warn", False, 0),
])
def test_what_counts_as_trouble_with_the_card(code, severity, slow, points):
    assert forecast.card_ill([Condition(code=code, severity=severity, since_mono_s=0.0)], slow) == points
