"""Packet sizes as a hint: loud when a quiet scene's packets grow, whatever the bit rate, and deaf to keyframes."""
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.vision.closer_look import LOUD
from agent.core.vision.packet_sizes import PacketSizes

FPS = 15
QUIET_B = 4000


def quiet(seconds: float, size_b: float = QUIET_B) -> Iterator[float]:
    """Sizes around `size_b` as noise makes them: a tenth up and down."""
    for n in range(round(seconds * FPS)):
        yield size_b * (1 + 0.1 * ((n * 7 % 11) - 5) / 5)


def listen(sizes_b: Iterable[float], to: PacketSizes, gop: int = 30, key_b: int = 60_000) -> list[float]:
    """How loud it is after each packet, a keyframe every `gop`; it goes on where `to` has stopped."""
    heard, mono_s = [], to.last_mono_s
    for n, size_b in enumerate(sizes_b):
        mono_s += 1 / FPS
        key = n % gop == 0
        heard.append(to.step(key_b if key else round(size_b), key, mono_s))
    return heard


@pytest.fixture
def used() -> PacketSizes:
    """One that has heard a minute of quiet."""
    made = PacketSizes()
    listen(quiet(60), made)
    return made


def test_a_quiet_scene_is_not_loud():
    assert max(listen(quiet(120), PacketSizes())) < LOUD


@pytest.mark.parametrize("times", [1.5, 3, 10])
def test_larger_packets_are_loud_within_half_a_second_and_quiet_soon_after(used: PacketSizes, times: float):
    heard = listen(quiet(2, times * QUIET_B), used)
    assert next(n for n, excess in enumerate(heard) if excess > LOUD) <= FPS // 2 + 2       # the first say nothing
    assert listen(quiet(4), used)[-1] < LOUD


def test_one_large_packet_is_nothing(used: PacketSizes):
    assert max(listen([QUIET_B, QUIET_B, 1.4 * QUIET_B, *quiet(1)], used)) < LOUD


@pytest.mark.parametrize("key_b", [100, 1_000_000])
def test_keyframes_say_nothing_however_large(key_b: int):
    one, other = PacketSizes(), PacketSizes()
    assert listen(quiet(20), one) == listen(quiet(20), other, key_b=key_b)


def test_what_follows_a_keyframe_says_nothing(used: PacketSizes):
    before = used.excess
    assert used.step(50_000, True, used.last_mono_s + 1 / FPS) == before
    assert used.step(90_000, False, used.last_mono_s + 1 / FPS) == before


def test_a_scene_that_has_become_busier_for_good_is_quiet_in_the_end(used: PacketSizes):
    assert listen(quiet(5, 3 * QUIET_B), used)[-1] > LOUD
    assert listen(quiet(300, 3 * QUIET_B), used)[-1] < LOUD


def test_visits_do_not_become_the_quiet_level(used: PacketSizes):
    level = used.level
    for _ in range(10):
        listen(quiet(5, 4 * QUIET_B), used)
        listen(quiet(15), used)
    assert used.level == pytest.approx(level, abs=0.3)          # in doublings
    assert max(listen(quiet(2, 4 * QUIET_B), used)) > LOUD


packets = st.lists(st.tuples(st.integers(0, 10_000_000), st.booleans(), st.floats(-1, 60)), max_size=80)


@given(packets)
def test_whatever_comes_it_stays_a_number(found):
    sizes, mono_s = PacketSizes(), 1000.0
    for size_b, key, step_s in found:
        mono_s += step_s
        assert isfinite(sizes.step(size_b, key, mono_s))
        assert all(isfinite(value) for value in astuple(sizes)) and sizes.spread >= 0


@given(packets, st.integers(1, 10))
def test_a_stream_of_twice_the_bit_rate_is_as_loud(found, doublings):
    one, other, mono_s = PacketSizes(), PacketSizes(), 1000.0
    for size_b, key, step_s in found:
        mono_s += step_s
        excess = one.step(max(1, size_b), key, mono_s)
        assert other.step(max(1, size_b) << doublings, key, mono_s) == pytest.approx(excess, rel=1e-3, abs=1e-3)
