"""Which time dates a boot's rows: one truth a boot, whatever was told in between."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import SETTLED_MS, Anchor, dating

HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
TRUE = 1_795_000_000_000
LIE = TRUE + 3 * HOUR_MS


def told(*anchors: tuple[float, int, str], until_h: float) -> tuple[list[int | None], bool]:
    found = dating([Anchor(int(at_h * HOUR_MS), offset_ms, clock) for at_h, offset_ms, clock in anchors],
                   int(until_h * HOUR_MS))
    return list(found.offsets_ms), found.doubtful


def test_the_first_right_time_dates_all_before_it():
    assert told((0, 0, "unset"), (1, TRUE, "ntp"), until_h=2) == ([TRUE, TRUE], False)


def test_a_clock_that_was_never_right_dates_nothing():
    assert told((0, 0, "unset"), (1, TRUE, "saved"), until_h=50) == ([None, None], False)
    assert dating([], 0).offsets_ms == []


def test_the_network_is_believed_before_a_battery_however_long_that_held():
    assert told((0, LIE, "rtc"), (100, TRUE, "ntp"), until_h=101) == ([TRUE, TRUE], False)
    assert told((0, TRUE + 900, "rtc"), (1, TRUE, "ntp"), (2, TRUE + 900, "rtc"), until_h=3) == ([TRUE] * 3, False)


def test_a_hand_that_moves_the_clock_moves_no_date():
    assert told((0, TRUE, "ntp"), (1, LIE, "saved"), until_h=90) == ([TRUE, TRUE], False)


def test_a_correction_is_believed_and_doubted_until_it_has_held_for_a_day():
    assert told((0, LIE, "ntp"), (2, TRUE, "ntp"), until_h=3) == ([TRUE, TRUE], True)
    assert told((0, LIE, "ntp"), (2, TRUE, "ntp"), until_h=26) == ([TRUE, TRUE], False)


def test_a_time_that_has_held_for_a_day_is_believed_until_another_has():
    assert told((0, TRUE, "ntp"), (50, LIE, "ntp"), until_h=73.9) == ([TRUE, TRUE], True)
    assert told((0, TRUE, "ntp"), (50, LIE, "ntp"), until_h=74) == ([LIE, LIE], False)


def test_a_lie_in_between_is_forgotten_at_once():
    assert told((0, TRUE, "ntp"), (50, LIE, "ntp"), (53, TRUE + 700, "ntp"), until_h=54) == (
        [TRUE, TRUE, TRUE + 700], False)


def test_what_a_crystal_drifts_is_no_lie_and_each_stretch_keeps_its_own_time():
    assert told((0, TRUE, "ntp"), (240, TRUE + 9_000, "ntp"), until_h=241) == ([TRUE, TRUE + 9_000], False)


def test_an_anchor_goes_on_with_the_story_that_it_is_nearest_to():
    battery = TRUE + 5_000
    assert told((0, battery, "rtc"), (4, TRUE, "ntp"), (4.1, 0, "unset"), (4.2, TRUE, "ntp"), until_h=5) == (
        [TRUE] * 4, False)


anchors = st.lists(st.tuples(st.integers(1, 40 * HOUR_MS), st.integers(-10**13, 10**13) | st.just(TRUE),
                             st.sampled_from(["unset", "saved", "rtc", "ntp"])), max_size=12)


@given(anchors, st.integers(0, 2 * DAY_MS))
def test_all_stretches_of_a_boot_can_be_true_together(steps, later_ms):
    at_ms, found = 0, []
    for apart_ms, offset_ms, clock in steps:
        found.append(Anchor(at_ms, offset_ms, clock))
        at_ms += apart_ms
    dated = dating(found, at_ms + later_ms)
    right = {anchor.offset_ms for anchor in found if anchor.clock in ("rtc", "ntp")}
    assert set(dated.offsets_ms) <= (right or {None})
    assert not dated.doubtful or len(right) > 1
    if right:
        assert max(dated.offsets_ms) - min(dated.offsets_ms) <= 2_000 * len(found) + at_ms // 5_000
    if found and found[-1].clock == "ntp" and later_ms >= SETTLED_MS:
        assert dated.offsets_ms[-1] == found[-1].offset_ms and not dated.doubtful
