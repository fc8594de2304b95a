"""The sound's clock onto ours: no click where there is none, a hole where there is one, never out of step for long."""
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Sound
from agent.core.media.timeline import NEAR_US, Soundline

RATE, FRAME_N = 16_000, 1024
FRAME_US = 64_000


def frame(pts_us: float, samples_n: int = FRAME_N) -> Sound:
    return Sound(b"\1sound", round(pts_us), samples_n)


def run(steps: list[tuple[float, float]], line: Soundline | None = None) -> list[int]:
    """When each stretch is heard (us), of frames given as (pts_us, arrival_us)."""
    line = line or Soundline(RATE)
    return [sound.pts_us for pts_us, arrival_us in steps for sound in line.date(frame(pts_us), round(arrival_us))]


def test_sound_ends_when_it_arrives():
    heard = run([(n * FRAME_US, 1_000_000_000 + (n + 1) * FRAME_US) for n in range(30)])
    assert heard == [1_000_000_000 + n * FRAME_US for n in range(30)]


def test_stamps_and_arrivals_that_jitter_make_no_click():
    dice = random.Random(5)
    heard = run([(n * FRAME_US + dice.randrange(-9_000, 9_000), 5_000_000 + (n + 1) * FRAME_US + dice.randrange(90_000))
                 for n in range(400)])
    assert len(heard) == 400
    assert all(after - before == FRAME_US for before, after in zip(heard, heard[1:], strict=False))


@pytest.mark.parametrize("rate_hz", [11_025, 22_050, 44_100])
def test_rates_that_no_microsecond_divides_do_not_drift(rate_hz: int):
    line, heard = Soundline(rate_hz), []
    for n in range(5000):
        end_us = (n + 1) * FRAME_N * 1_000_000 / rate_hz
        heard += line.date(frame(n * FRAME_N * 1_000_000 / rate_hz), round(end_us))
    assert abs(heard[-1].pts_us - heard[0].pts_us - 4999 * FRAME_N * 1_000_000 / rate_hz) < 2


@pytest.mark.parametrize("missing_n", [2, 40])
def test_sound_that_is_missing_leaves_a_hole(missing_n: int):
    frames = [*range(30), *range(30 + missing_n, 90)]
    heard = run([(n * FRAME_US, (n + 1) * FRAME_US) for n in frames])
    steps = [after - before for before, after in zip(heard, heard[1:], strict=False)]
    assert steps.count(FRAME_US) == 88 - missing_n and (1 + missing_n) * FRAME_US in steps


@pytest.mark.parametrize("jump_us", [-3_600_000_000, 86_400_000_000])
def test_a_clock_that_jumps_starts_anew_by_arrival(jump_us: int):
    line = Soundline(RATE)
    heard = run([(n * FRAME_US, (n + 1) * FRAME_US) for n in range(60)], line)
    heard += run([(n * FRAME_US + jump_us, (n + 1) * FRAME_US) for n in range(60, 120)], line)
    assert len(heard) == 120 and abs(heard[-1] - 119 * FRAME_US) <= NEAR_US


@pytest.mark.parametrize("ppm", [-150, 150])
def test_a_drifting_sound_card_stays_in_step_for_hours(ppm: int):
    line, worst_us = Soundline(RATE), 0.0
    for n in range(4 * 3600 * 1000 // 64):
        true_us = n * FRAME_US * (1 + ppm / 1e6)            # on our clock; the card counts n * FRAME_US
        for sound in line.date(frame(n * FRAME_US), round(true_us) + FRAME_US):
            worst_us = max(worst_us, abs(sound.pts_us - true_us)) if n > 10 else 0
    assert worst_us < NEAR_US + 20_000 and line.dropped_n < 40


def test_what_no_recording_can_hold_is_dropped_and_counted():
    line = Soundline(RATE)
    for sound in (Sound(b"", 0, 1024), Sound(bytes(100), 0, 1024), Sound(b"x" * 70_000, 0, 1024), Sound(b"x", 0, 0),
                  Sound(b"x", 0, 2**40)):
        assert line.date(sound, 0) == []
    assert line.dropped_n == 5


@given(st.lists(st.tuples(st.integers(-500_000, 3_000_000), st.integers(0, 400_000), st.integers(1, 4096)),
                max_size=80))
def test_sound_never_overlaps_and_none_is_lost_uncounted(steps: list[tuple[int, int, int]]):
    line, pts_us, arrival_us, heard = Soundline(8000), 0, 0, []
    for pts_step_us, arrival_step_us, samples_n in steps:
        pts_us, arrival_us = pts_us + pts_step_us, arrival_us + arrival_step_us
        heard += line.date(frame(pts_us, samples_n), arrival_us)
    for before, after in zip(heard, heard[1:], strict=False):
        assert after.pts_us >= before.pts_us + before.samples_n * 125
    settled = [(pts_us + n * 500_000, arrival_us + n * 500_000) for n in range(1, 4)]
    heard += [sound for pts, arrival in settled for sound in line.date(frame(pts, 8), arrival)]
    assert len(heard) + line.dropped_n == len(steps) + 3
