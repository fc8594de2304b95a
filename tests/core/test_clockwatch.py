"""The wall clock under watch."""
from agent.core.clockwatch import DISTRUST_S, ClockWatch, Seen

YEAR_MS = 365 * 86_400_000
WALL = 1_795_000_000_000


def test_a_clock_that_becomes_right_is_told_once():
    watch, seen, _ = ClockWatch().step(10_000, WALL, "saved")
    assert seen is None
    watch, seen, _ = watch.step(20_000, WALL + 10_000, "ntp")
    assert seen is Seen.SYNC
    _, seen, _ = watch.step(30_000, WALL + 20_000, "ntp")
    assert seen is None


def test_a_year_forward_deletes_nothing_for_a_day():
    watch, _, _ = ClockWatch().step(10_000, WALL, "ntp")
    watch, seen, moved_ms = watch.step(20_000, WALL + YEAR_MS, "ntp")
    assert seen is Seen.STEP and moved_ms == YEAR_MS - 10_000
    assert not watch.may_delete(20, "ntp") and not watch.may_delete(20 + DISTRUST_S - 1, "ntp")
    assert watch.may_delete(20 + DISTRUST_S, "ntp")


def test_a_boot_with_a_clock_far_ahead_of_the_footage_is_distrusted():
    watch, _, _ = ClockWatch().step(10_000, WALL, "rtc", newest_wall_ms=WALL - YEAR_MS)
    assert not watch.may_delete(10, "rtc")


def test_ntp_may_correct_a_little():
    watch, _, _ = ClockWatch().step(10_000, WALL, "ntp")
    watch, seen, _ = watch.step(20_000, WALL + 11_500, "ntp")
    assert seen is None and watch.may_delete(20, "ntp")


def test_an_unset_clock_deletes_nothing():
    assert not ClockWatch().may_delete(1e9, "unset")
