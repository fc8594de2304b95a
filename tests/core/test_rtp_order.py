"""Decode times made from show times: growing, never after them, the encoder's own where it can be known, no waiting."""
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.rtp.track import EncodedUnit
from agent.core.protocols.rtp.video import DEPTH_GUESS_MAX, HOLD_US, DecodeOrder

FRAME_US = 66_667


def unit(pts_us: int, key: bool = False) -> EncodedUnit:
    return EncodedUnit(0, b"", pts_us, pts_us, key)


def decode_order(random: Random, frames_n: int, depth: int, jitter_us: int = 0, ahead_n: int = 16) -> list[EncodedUnit]:
    """Show times in an order in which at most `depth` frames overtake any one, the keyframe first.

    A frame comes at most `ahead_n` too early.
    """
    waiting = [[number * FRAME_US + random.randint(0, jitter_us), 0] for number in range(1, frames_n)]
    units = [unit(0, key=True)]
    while waiting:
        most = 0
        while most + 1 < len(waiting) and most < ahead_n and waiting[most][1] < depth:
            most += 1
        chosen = random.randint(0, most)
        for overtaken in waiting[:chosen]:
            overtaken[1] += 1
        units.append(unit(waiting.pop(chosen)[0]))
    return units


def follows_the_rules(units: list[EncodedUnit]) -> bool:
    return (all(one.dts_us <= one.pts_us for one in units)
            and all(before.dts_us < after.dts_us for before, after in pairwise(units)))


@given(seed=st.integers(0, 1 << 32), depth=st.integers(0, 16), more=st.integers(0, 3),
       jitter_us=st.sampled_from([0, 30_000]))
def test_with_a_depth_that_is_told_every_unit_is_dated_at_once(seed, depth, more, jitter_us):
    given_units = decode_order(Random(seed), 60, depth, jitter_us)
    told = min(16, depth + more)
    order = DecodeOrder(told)
    units = []
    for one in given_units:
        (dated,) = order.date(one)
        units.append(dated)
    assert follows_the_rules(units)
    assert [one.pts_us for one in units] == [one.pts_us for one in given_units]
    shown = sorted(one.pts_us for one in given_units)
    assert [one.dts_us for one in units[told:]] == shown[:len(shown) - told]      # what the encoder would have said


@given(seed=st.integers(0, 1 << 32), plain_n=st.integers(0, 40), depth=st.integers(0, DEPTH_GUESS_MAX))
def test_a_depth_that_is_not_told_is_learnt(seed, plain_n, depth):
    """B-frames may come from the start, or only after a while."""
    late_us = plain_n * FRAME_US
    given_units = [unit(number * FRAME_US, number == 0) for number in range(plain_n)]
    given_units += [one._replace(pts_us=one.pts_us + late_us, dts_us=one.pts_us + late_us, key=one.key and not plain_n)
                    for one in decode_order(Random(seed), 60, depth, ahead_n=3)]
    order, units = DecodeOrder(None), []
    for number, one in enumerate(given_units):
        units += order.date(one)
        held_n = number + 1 - len(units)
        assert not held_n or abs(one.pts_us - given_units[0].pts_us) < HOLD_US
    assert len(units) == len(given_units) and follows_the_rules(units)
    # What teaches too late has frames shown some frames late, once.
    assert all(0 <= ours.pts_us - theirs.pts_us <= 8 * FRAME_US
               for ours, theirs in zip(units, given_units, strict=True))
    if not depth:
        assert all(one.pts_us == one.dts_us for one in units)


def test_b_frames_from_the_start_lose_nothing_and_are_shown_when_they_should():
    times = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
    order = DecodeOrder(None)
    units = [done for time in times for done in order.date(unit(time * FRAME_US, time == 0))]
    assert [one.pts_us // FRAME_US for one in units] == times[:len(units)] and len(units) >= len(times) - 1
    assert [one.dts_us // FRAME_US for one in units[1:]] == list(range(len(units) - 1))


@pytest.mark.parametrize("depth", [None, 0, 2])
@pytest.mark.parametrize("jump_us", [-3_600_000_000, -2_000_000, -500_000, 6_000_000, 3_600_000_000])
def test_a_clock_set_anew_is_a_jump_in_both_times(depth: int | None, jump_us: int):
    order = DecodeOrder(depth)
    before = [done for number in range(20) for done in order.date(unit(number * FRAME_US, number == 0))]
    behind_us = 20 * FRAME_US + jump_us
    after = [done for number in range(20) for done in order.date(unit(behind_us + number * FRAME_US))]
    assert len(before) == len(after) == 20
    assert [one.pts_us for one in after] == [behind_us + number * FRAME_US for number in range(20)]
    assert follows_the_rules(before) and follows_the_rules(after)
    assert all(one.pts_us - one.dts_us <= 200_000 for one in after)
    assert (after[0].dts_us < before[-1].dts_us) == (jump_us < 0)


def test_two_frames_with_one_time_and_a_tiny_step_back_are_no_jump():
    order = DecodeOrder(0)
    times = [0, FRAME_US, FRAME_US, 2 * FRAME_US, 3 * FRAME_US, 3 * FRAME_US - 500, 4 * FRAME_US, 5 * FRAME_US]
    units = [done for time in times for done in order.date(unit(time))]
    assert len(units) == len(times) and follows_the_rules(units)
    assert all(abs(one.pts_us - time) <= 501 for one, time in zip(units, times, strict=True))


def test_a_pause_of_the_camera_needs_no_new_run():
    order = DecodeOrder(2)
    units = [order.date(unit(number * FRAME_US + (7_000_000 if number > 9 else 0)))[0] for number in range(20)]
    assert follows_the_rules(units) and all(one.pts_us - one.dts_us <= 2 * FRAME_US for one in units)


@given(st.lists(st.tuples(st.integers(-10**7, 10**10), st.booleans()), max_size=60), st.sampled_from([None, 0, 1, 16]))
def test_any_times_are_dated(times, depth):
    order = DecodeOrder(depth)
    units = [done for time, key in times for done in order.date(unit(time, key))] + order.flush()
    assert len(units) == len(times)
    assert all(one.dts_us <= one.pts_us for one in units)
