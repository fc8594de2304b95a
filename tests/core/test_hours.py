"""Weekly hours and pauses: whether a camera may see, minute by minute, and what happens where the clock can't tell."""
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.pause import (
    UNREADABLE,
    WEEK_MIN,
    Pause,
    Paused,
    Pauses,
    WeekStretch,
    all_hours,
    ends_in_min,
    parse_hours,
    paused,
)

HOUR_MIN, HOUR_MS = 60, 3_600_000
NO_WORD = Pauses()
MON, TUE, FRI, SAT, SUN = (day * 1440 for day in (0, 1, 4, 5, 6))


@dataclass(frozen=True)
class Now:
    """A moment on a device."""

    boot: str = "b1"
    mono_ms: int = 100_000
    wall_ms: int = 1_795_000_000_000
    clock: str = "ntp"

    def later(self, ms: int) -> "Now":
        return replace(self, mono_ms=self.mono_ms + ms, wall_ms=self.wall_ms + ms)


@pytest.mark.parametrize(("text", "stretches"), [
    ("22:00-06:00", [WeekStretch(day * 1440 + 22 * 60, 8 * 60) for day in range(7)]),
    ("Mon 07:30-17:00", [WeekStretch(450, 570)]),
    ("fri - mon 0:00-24:00", [WeekStretch(day, 1440) for day in (MON, FRI, SAT, SUN)]),
    ("Tue,Sat-Sun", [WeekStretch(day, 1440) for day in (TUE, SAT, SUN)]),
])
def test_hours_are_read_as_people_write_them(text: str, stretches: list[WeekStretch]):
    assert list(parse_hours(text)) == stretches


@pytest.mark.parametrize(("text", "told"), [
    ("Mo 07:00-08:00", '"mo" is not a day; days are Mon, Tue'), ("25:00-26:00", "25:00 is not a time of day"),
    ("07:60-08:00", "07:60 is not a time of day"), ("07:00-07:00", "takes "), ("07:00-08:00 Mon", "takes "),
    ("24:00-01:00", "takes "), ("", "takes "), (" ", "takes "), ("Mon-", "is not a day"), ("07-08", "is not a day"),
])
def test_what_is_no_hours_is_told_with_what_would_be(text: str, told: str):
    with pytest.raises(ValueError, match="Mon|00:00 to 24:00") as error:
        parse_hours(text)
    assert told in str(error.value)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str):
    try:
        assert all(0 <= each.start_min < WEEK_MIN and 0 < each.length_min <= 1440 for each in parse_hours(text))
    except ValueError as error:
        assert str(error)


def test_a_stretch_over_midnight_and_over_the_week_s_end_is_one():
    off = all_hours(["Sun 22:00-06:00", "Mon 06:00-07:00"])
    assert ends_in_min(off, SUN + 23 * HOUR_MIN) == 8 * HOUR_MIN
    assert ends_in_min(off, 0) == 7 * HOUR_MIN
    assert ends_in_min(off, 7 * HOUR_MIN) is None
    assert ends_in_min(all_hours(["Mon-Sun"]), 77) == 0


stretches = st.lists(st.builds(WeekStretch, st.integers(0, WEEK_MIN - 1), st.integers(1, 1440)), max_size=6)


@given(stretches, st.integers(0, WEEK_MIN - 1))
def test_the_end_is_the_first_minute_outside_of_all(off: list[WeekStretch], at_min: int):
    def inside(minute: int) -> bool:
        return any((minute - each.start_min) % WEEK_MIN < each.length_min for each in off)
    left_min = ends_in_min(off, at_min)
    if left_min is None:
        assert not inside(at_min)
    elif left_min == 0:
        assert all(inside(minute) for minute in range(WEEK_MIN))
    else:
        assert all(inside(at_min + minute) for minute in range(left_min)) and not inside(at_min + left_min)


def word(now: Now, hours: float | None = 1, **changes: object) -> Pause:
    until = None if hours is None else now.wall_ms + int(hours * HOUR_MS)
    return Pause(by="page", boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock,
                 until_wall_ms=until, **changes)


def test_an_hour_is_an_hour_though_the_wall_clock_jumps_by_a_day():
    begun = Now(clock="saved")
    jumped = replace(begun.later(50 * 60_000), wall_ms=begun.wall_ms + 25 * HOUR_MS, clock="ntp")
    assert word(begun).lasts(jumped)
    assert not word(begun).lasts(jumped.later(10 * 60_000))


def test_after_a_restart_the_wall_clock_ends_a_pause_that_was_given_by_a_right_one():
    begun = Now()
    again = Now(boot="b2", mono_ms=5_000, wall_ms=begun.wall_ms + 59 * 60_000)
    assert word(begun).lasts(again) and not word(begun).lasts(again.later(60_000))
    assert word(begun).lasts(replace(again, wall_ms=0, clock="unset"))          # too long rather than too short


def test_after_a_restart_a_pause_given_by_a_doubtful_clock_lasts_its_whole_length_again():
    begun = Now(clock="saved")
    again = Now(boot="b2", mono_ms=5_000, wall_ms=begun.wall_ms + 30 * HOUR_MS)
    assert word(begun).lasts(again) and not word(begun).lasts(replace(again, mono_ms=HOUR_MS))


def test_a_pause_without_an_end_lasts_over_everything():
    assert word(Now(), hours=None).lasts(Now(boot="b9", mono_ms=0, wall_ms=0, clock="unset"))


def test_the_newest_word_on_a_camera_counts():
    now = Now()
    all_but_gate = Pauses(everything=word(now, None), cameras={"gate": None, "yard": word(now, 0)})
    assert all_but_gate.of("gate", now) is None and all_but_gate.of("yard", now) is None
    assert all_but_gate.of("new", now) is not None


def see(week_min: int | None, *, pauses: Pauses = NO_WORD, was_off: bool = False, now: Now = Now()) -> Paused | None:
    return paused("gate", pauses, all_hours(["Mon 07:00-17:00"]), week_min, now, was_off)


def test_a_schedule_pauses_until_its_end():
    now = Now(wall_ms=1_795_000_030_000 // 60_000 * 60_000 + 30_000)
    assert see(6 * HOUR_MIN, now=now) is None
    assert see(8 * HOUR_MIN, now=now) == Paused("schedule", now.wall_ms - 30_000 + 9 * HOUR_MS)
    assert paused("gate", Pauses(), all_hours(["Mon-Sun"]), 5, now, False) == Paused("schedule", None)


def test_without_a_clock_the_schedule_leaves_things_as_they_were():
    assert see(None, was_off=True) == Paused("schedule")
    assert see(None, was_off=False) is None
    assert paused("gate", Pauses(), (), None, Now(), was_off=True) is None       # it has no hours any more


def test_a_person_s_word_comes_before_the_schedule_and_an_unreadable_one_pauses_all():
    now = Now()
    assert see(8 * HOUR_MIN, pauses=Pauses(cameras={"gate": word(now)})) == Paused("page", now.wall_ms + HOUR_MS)
    assert see(6 * HOUR_MIN, pauses=UNREADABLE) == Paused("unreadable")


def test_after_a_restart_a_clock_that_is_doubtful_now_does_not_end_a_pause_early():
    begun = Now()
    thrown = Now(boot="b2", mono_ms=5_000, wall_ms=begun.wall_ms + 30 * HOUR_MS, clock="saved")
    assert word(begun).lasts(thrown) and not word(begun).lasts(replace(thrown, mono_ms=HOUR_MS))
