"""Source clocks onto ours: drift is followed unseen, a burst is dated right, a jump is named."""
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Packet
from agent.core.media.timeline import Jump, Timeline


def run(steps: list[tuple[int, int]], timeline: Timeline | None = None) -> list[int]:
    """Dates (us) of packets given as (dts_us, arrival_us)."""
    timeline = timeline or Timeline()
    return [packet.dts_us for dts, arrival in steps for packet in timeline.date(Packet(b"", dts, dts, False), arrival)]


def test_packets_are_dated_by_when_they_arrive():
    assert run([(n * 100_000, 1_000_000_000 + n * 100_000) for n in range(20)]) == [
        1_000_000_000 + n * 100_000 for n in range(20)]


def test_a_burst_of_old_packets_is_dated_when_it_was_taken():
    burst = [(n * 100_000, 10_000_000 + n * 100) for n in range(30)]
    after = [(n * 100_000, 7_100_000 + n * 100_000) for n in range(30, 60)]
    dates = run(burst + after)
    assert len(dates) == 60 and dates[0] == pytest.approx(7_100_000, abs=2_000)


@pytest.mark.parametrize("ppm", [-100, 100])
def test_a_drifting_camera_stays_on_our_clock_for_a_day(ppm: int):
    jitter = random.Random(7)
    steps = [(int(n * 500_000 * (1 + ppm / 1e6)), n * 500_000 + jitter.randrange(40_000)) for n in range(86_400 * 2)]
    dates = run(steps)
    assert abs(dates[-1] - (len(dates) - 1) * 500_000) < 500_000


def test_sixty_seconds_stay_sixty_seconds_under_jitter():
    jitter = random.Random(3)
    dates = run([(n * 66_667, n * 66_667 + jitter.randrange(200_000)) for n in range(901)])
    assert abs((dates[-1] - dates[0]) - 60_000_000) < 50_000


@pytest.mark.parametrize("dts_us", [-1_000_000, 800_000, 30_000_000])
def test_a_clock_that_jumps_ends_the_run(dts_us: int):
    timeline = Timeline()
    run([(n * 100_000, n * 100_000) for n in range(10)], timeline)
    with pytest.raises(Jump):
        run([(dts_us, 1_000_000)], timeline)


def test_two_frames_with_one_time_are_no_jump():
    one, other = run([(n // 2 * 100_000, n * 50_000) for n in range(40)])[-2:]
    assert other == one + 1


def test_a_stall_that_catches_up_is_no_jump():
    assert len(run([(n * 100_000, 9_000_000 if 20 < n < 90 else n * 100_000) for n in range(100)])) == 100


@given(st.lists(st.tuples(st.integers(1, 2_000_000), st.integers(0, 3_000_000)), min_size=1, max_size=60))
def test_dates_never_run_backwards_and_no_packet_is_lost(steps: list[tuple[int, int]]):
    timeline, dts, arrival, dates = Timeline(), 0, 0, []
    for dts_step, arrival_step in steps:
        dts, arrival = dts + dts_step, arrival + arrival_step
        try:
            dates += run([(dts, arrival)], timeline)
        except Jump:
            return
    assert dates == sorted(set(dates))
    assert not dates or len(dates) == len(steps)
