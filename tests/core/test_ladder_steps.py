"""The ladder: each step at its time, none twice in a row of restarts, never a loop, whatever the clocks say."""
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.recovery import (
    HOPELESS_PATIENCE_S,
    HUNG_MS,
    NO_CURE,
    PATIENCE_S,
    REBOOT_AGAIN_MS,
    REBOOT_UP_MS,
    REBOOTS_MAX_N,
    Allowed,
    Held,
    Ladder,
    Position,
    Reboots,
    Step,
)

ALL, SEEN = Allowed(driver=True, reboot=True), Reboots(seen=True)
UP_MS = 3_600_000
NO_REBOOT_FAULT = "camera_not_found"


@dataclass(frozen=True)
class Now:
    """A moment on a device."""

    boot: str = "b1"
    mono_ms: int = UP_MS
    wall_ms: int = 1_795_000_000_000
    clock: str = "ntp"


def steps(fault: str | None = "camera_no_frames", allowed: Allowed = ALL, past: Reboots = SEEN, now: Now = Now()):
    return Ladder.of(fault, allowed, past, now)


def climb(ladder: Ladder, steps_n: int) -> list[Step | None]:
    """What is due at the end of each patience, were the camera never to come back."""
    return [ladder.next(n, PATIENCE_S[min(n, len(PATIENCE_S) - 1)], stuck=False) for n in range(steps_n)]


def test_process_driver_reboot_each_after_its_patience():
    ladder = steps()
    assert climb(ladder, 4) == [Step.PROCESS, Step.PROCESS, Step.DRIVER, Step.REBOOT]
    assert [ladder.next(n, PATIENCE_S[n] - 1, stuck=False) for n in range(4)] == [None] * 4


def test_a_camera_that_holds_its_process_is_not_waited_for():
    assert [steps().next(n, 0, stuck=True) for n in range(4)] == list(steps().steps)
    assert steps(NO_REBOOT_FAULT).next(9, 0, stuck=True) is None                # but nor is there a loop in the end


@pytest.mark.parametrize(("allowed", "past", "expected"), [
    (Allowed(driver=False, reboot=True), SEEN, [Step.PROCESS, Step.PROCESS, Step.REBOOT]),
    (Allowed(driver=True, reboot=False), SEEN, [Step.PROCESS, Step.PROCESS, Step.DRIVER]),
    (ALL, Reboots(seen=False), [Step.PROCESS, Step.PROCESS, Step.DRIVER]),          # it never worked here
    (ALL, Reboots(seen=True, in_a_row_n=REBOOTS_MAX_N), [Step.PROCESS, Step.PROCESS, Step.DRIVER]),
])
def test_what_is_not_allowed_is_left_out(allowed: Allowed, past: Reboots, expected: list[Step]):
    assert list(steps(allowed=allowed, past=past).steps) == expected


@pytest.mark.parametrize("fault", sorted(NO_CURE))
def test_an_unplugged_or_refusing_camera_never_costs_more_than_a_process(fault: str):
    assert set(climb(steps(fault), 8)) == {Step.PROCESS, None}


def test_after_the_last_step_a_process_an_hour():
    spent = steps(allowed=Allowed(driver=True, reboot=False))
    assert spent.next(3, HOPELESS_PATIENCE_S - 1, stuck=False) is None
    assert spent.next(3, HOPELESS_PATIENCE_S, stuck=False) is Step.PROCESS
    assert spent.position(3, SEEN) == Position(Step.DRIVER, 3, spent=True)


def test_a_restart_that_is_allowed_again_later_is_caught_up_on():
    assert steps().next(30, PATIENCE_S[-1], stuck=False) is Step.REBOOT


def test_it_is_told_where_we_are():
    ladder = steps()
    assert [ladder.position(n, SEEN).step for n in range(4)] == [None, Step.PROCESS, Step.PROCESS, Step.DRIVER]
    after = SEEN.another(Now())
    assert ladder.position(0, after) == Position(Step.REBOOT, 1, spent=False)
    assert ladder.position(0, after.picture()).step is None


BEGUN = Held(boot="b1", open_ms=UP_MS - HUNG_MS)


@pytest.mark.parametrize(("before", "taken_n", "overdue"), [
    (Held(), 0, None),                                                          # the first of this boot
    (Held(boot="b0", taken_n=3), 0, None),
    (BEGUN, 1, None),                                                           # it hung: that was a new process
    (replace(BEGUN, open_ms=UP_MS - HUNG_MS + 1), 0, None),                     # that was no hang
    (replace(BEGUN, taken_n=2), 2, Step.DRIVER),                                # it hung before it could ask
    (replace(BEGUN, taken_n=3), 3, Step.REBOOT),
    (replace(BEGUN, taken_n=2).stopped(), 2, None),                             # somebody stopped it
    (replace(BEGUN, taken_n=1).step(), 2, None),                                # it took its step
    (replace(BEGUN, taken_n=3).well(), 1, None),                                # it was well, until it hung
])
def test_a_process_goes_on_where_the_last_one_ended(before: Held, taken_n: int, overdue: Step | None):
    assert before.begin(steps(), Now()) == (Held(boot="b1", taken_n=taken_n, open_ms=UP_MS), overdue)


def test_a_second_restart_of_the_machine_waits_for_a_day_that_is_certain():
    past = SEEN.another(Now())
    day = Now().wall_ms + REBOOT_AGAIN_MS
    assert not past.may_again(Now("b2", UP_MS, day - 1))
    assert past.may_again(Now("b2", UP_MS, day))
    assert not past.may_again(Now("b2", UP_MS, day, "saved"))                    # nobody vouches for this clock
    assert past.may_again(Now("b2", REBOOT_AGAIN_MS, 0, "unset"))                # this boot alone has lasted a day
    assert not SEEN.another(Now(clock="unset")).may_again(Now("b2", UP_MS, day))    # nor for that of then


def test_a_machine_just_started_is_left_alone():
    assert not SEEN.may_again(Now(mono_ms=REBOOT_UP_MS - 1)) and SEEN.may_again(Now(mono_ms=REBOOT_UP_MS))


def test_a_picture_begins_a_new_row_but_not_a_new_day():
    past = SEEN.another(Now()).another(Now()).picture()
    assert past.in_a_row_n == 0 and not past.may_again(Now("b2"))


boots = st.lists(st.tuples(st.integers(1, 3 * REBOOT_AGAIN_MS), st.integers(-10**12, 10**12),
                           st.sampled_from(["unset", "saved", "rtc", "ntp"])), min_size=1, max_size=40)


@given(boots)
def test_whatever_the_clocks_say_there_are_three_restarts_in_a_row_at_most(lives: list[tuple[int, int, str]]):
    past, ordered_n = SEEN, 0
    for number, (up_ms, off_ms, clock) in enumerate(lives):
        now = Now(f"b{number}", up_ms, 1_795_000_000_000 + off_ms, clock)
        if Step.REBOOT in steps(past=past, now=now).steps:
            past, ordered_n = past.another(now), ordered_n + 1
    assert ordered_n <= REBOOTS_MAX_N


@given(boots)
def test_without_a_clock_that_can_be_relied_upon_each_takes_a_day_of_being_up(lives: list[tuple[int, int, str]]):
    past = SEEN
    for number, (up_ms, off_ms, _) in enumerate(lives):
        now = Now(f"b{number}", up_ms, 1_795_000_000_000 + off_ms, "saved")
        if past.may_again(now):
            assert not past.boot or up_ms >= REBOOT_AGAIN_MS
            past = past.another(now).picture()


NIGHT, NOON = 200, 720


@pytest.mark.parametrize(("past", "minute", "now", "due"), [
    (Reboots(seen=True, encoded=True), NIGHT, Now(), True),
    (Reboots(seen=True, encoded=True), NOON, Now(), False),
    (Reboots(seen=True, encoded=True), NIGHT, Now(clock="unset"), False),       # nobody knows that it is night
    (Reboots(seen=True), NIGHT, Now(), False),                                  # the encoder never worked here
    (Reboots(seen=True, encoded=True, for_encoder_n=REBOOTS_MAX_N), NIGHT, Now(), False),
])
def test_the_machine_restarts_at_night_for_an_encoder_that_is_gone(past, minute, now, due):
    assert past.may_for_encoder(now, minute) == due


def test_an_encoder_that_stays_away_costs_three_nights_and_a_working_one_starts_the_count_again():
    past, now = Reboots().encodes(), Now()
    for night in range(REBOOTS_MAX_N):
        assert past.may_for_encoder(now, NIGHT)
        past = past.another(now, for_encoder=True).picture()        # x264 gives pictures all the time
        assert past.in_a_row_n == 0 and not past.may_for_encoder(replace_now(now, 3_600_000), NIGHT)
        now = replace_now(now, REBOOT_AGAIN_MS, f"b{night + 2}")
    assert not past.may_for_encoder(now, NIGHT) and past.encodes().may_for_encoder(now, NIGHT)


def replace_now(now: Now, later_ms: int, boot: str | None = None) -> Now:
    return Now(boot or now.boot, now.mono_ms if boot else now.mono_ms + later_ms, now.wall_ms + later_ms)
