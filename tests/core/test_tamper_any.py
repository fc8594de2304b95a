"""The watch never raises and never leaves its bounds, whatever arrives."""
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind, Phase, TamperWatch
from tests.rigs.examples import examples

TIMES = st.one_of(st.floats(0.5, 30.0), st.floats(), st.sampled_from([0.0, -1.0, math.inf, math.nan, 1e300]))
CHANGES = st.sampled_from(["noise", "black", "white", "same", "half", "strided"])
SIZES = st.tuples(st.integers(0, 70), st.integers(0, 90))
NUMBERS = st.one_of(st.none(), st.floats())


def picture(change: str, shape: tuple[int, int], before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A luma plane of the wanted kind."""
    if change == "same" and before.shape == shape:
        return before
    if change == "strided":
        return rng.integers(0, 255, (2 * shape[0], 3 * shape[1]), np.uint8)[::-2, ::3]
    y = rng.integers(0, 255, shape, np.uint8)
    if change == "black":
        y[:] = 0
    if change in ("white", "half"):
        y[:, : shape[1] // (1 if change == "white" else 2)] = 255
    return y


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(CHANGES, st.one_of(st.just((48, 64)), SIZES), TIMES, NUMBERS), max_size=60),
       st.integers(0, 2**32 - 1))
def test_any_pictures_at_any_times(steps, seed):
    rng, guard = np.random.default_rng(seed), TamperWatch()
    mono_s, y, holding = 100.0, np.zeros((48, 64), np.uint8), set()
    for change, shape, dt_s, number in steps:
        mono_s = mono_s + dt_s if math.isfinite(mono_s) else 100.0
        y = picture(change, shape, y, rng)
        for told in guard.step(Luma(y, mono_s, number, number, number, number)):
            assert (told.kind in holding) == (told.phase is Phase.END)
            holding ^= {told.kind}
            assert 0.0 <= told.strength <= 1.0 and math.isfinite(told.since_mono_s) and told.detail
        assert guard.now == holding <= set(Kind)


@settings(max_examples=examples(15), deadline=None)
@given(st.lists(st.tuples(CHANGES, st.integers(1, 40)), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_starts_and_ends_alternate_through_long_stretches(stretches, seed):
    rng, guard = np.random.default_rng(seed), TamperWatch()
    mono_s, y, holding = 0.0, np.zeros((36, 64), np.uint8), set()
    for change, looks_n in stretches:
        for _ in range(looks_n):
            mono_s += 1.0
            y = picture(change, (36, 64), y, rng)
            for told in guard.step(Luma(y, mono_s)):
                assert (told.kind in holding) == (told.phase is Phase.END)
                holding ^= {told.kind}
    assert guard.now == holding


def test_the_same_pictures_tell_the_same():
    planes = [np.random.default_rng(i // 40).integers(0, 255, (90, 160), np.uint8) for i in range(160)]
    first, second = TamperWatch(), TamperWatch()
    for i, y in enumerate(planes):
        assert first.step(Luma(y, float(i))) == second.step(Luma(y, float(i)))


def test_pictures_that_flood_are_not_looked_at():
    guard, white = TamperWatch(), np.full((90, 160), 255, np.uint8)
    assert not any(guard.step(Luma(white, 1 + i / 1000)) for i in range(800))
    assert guard.now == frozenset()
