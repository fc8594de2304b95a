"""The wall clock under watch."""
from agent.core.clock import DISTRUST_S, LEAP_MS, ClockChange, ClockWatch

HOUR_MS, YEAR_MS = 3_600_000, 365 * 86_400_000
WALL = 1_795_000_000_000


def test_a_clock_that_becomes_right_is_told_once():
    watch, seen, _ = ClockWatch().step(10_000, WALL, "saved")
    assert seen is None
    watch, seen, _ = watch.step(20_000, WALL + 10_000, "ntp")
    assert seen is ClockChange.SYNC
    _, seen, _ = watch.step(30_000, WALL + 20_000, "ntp")
    assert seen is None


def test_a_battery_s_time_is_told_and_the_network_s_once_more():
    watch, seen, _ = ClockWatch().step(10_000, WALL, "rtc")
    assert seen is ClockChange.SYNC
    watch, seen, moved_ms = watch.step(20_000, WALL + HOUR_MS, "ntp")
    assert (seen, moved_ms) == (ClockChange.SYNC, HOUR_MS - 10_000)
    _, seen, _ = watch.step(30_000, WALL + HOUR_MS + 10_000, "rtc")
    assert seen is None


def test_a_year_forward_deletes_nothing_for_a_day():
    watch, _, _ = ClockWatch().step(10_000, WALL, "ntp")
    watch, seen, moved_ms = watch.step(20_000, WALL + YEAR_MS, "ntp")
    assert seen is ClockChange.STEP and moved_ms == YEAR_MS - 10_000
    assert not watch.may_delete(20, "ntp") and not watch.may_delete(20 + DISTRUST_S - 1, "ntp")
    assert watch.may_delete(20 + DISTRUST_S, "ntp")


def test_a_boot_with_a_clock_far_ahead_of_the_footage_is_distrusted():
    watch, _, _ = ClockWatch().step(10_000, WALL, "rtc", newest_wall_ms=WALL - YEAR_MS)
    assert not watch.may_delete(10, "rtc")


def test_a_machine_that_was_off_for_a_night_is_trusted_as_soon_as_its_clock_is_right():
    watch, _, _ = ClockWatch().step(10_000, WALL, "saved", newest_wall_ms=WALL)
    slept, seen, _ = watch.step(60_000, WALL + 9 * HOUR_MS, "ntp", newest_wall_ms=WALL)
    assert seen is ClockChange.SYNC and slept.may_delete(60, "ntp")
    thrown, _, _ = watch.step(60_000, WALL + LEAP_MS + 1, "ntp", newest_wall_ms=WALL)
    assert not thrown.may_delete(60, "ntp")


def test_ntp_may_correct_a_little():
    watch, _, _ = ClockWatch().step(10_000, WALL, "ntp")
    watch, seen, _ = watch.step(20_000, WALL + 11_500, "ntp")
    assert seen is None and watch.may_delete(20, "ntp")


def test_little_corrections_that_add_up_are_told_and_raise_no_doubt():
    watch, _, _ = ClockWatch().step(0, WALL, "ntp")
    told = []
    for n in range(1, 21):
        watch, seen, moved_ms = watch.step(n * HOUR_MS, WALL + n * (HOUR_MS + 500), "ntp")
        told += [(n, moved_ms)] if seen else []
        assert watch.may_delete(n * 3600, "ntp")
    assert told == [(5, 2_500), (10, 2_500), (15, 2_500), (20, 2_500)]


def test_an_unset_clock_deletes_nothing():
    assert not ClockWatch().may_delete(1e9, "unset")
