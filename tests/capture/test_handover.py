"""Between a camera library's threads and ours: bounded, and never waiting."""
import time

import numpy as np
import pytest

from agent.cameras.frame_queue import PACKETS_MAX, FrameQueue
from agent.core.media.model import Luma
from tests.rigs.wait import Stopwatch


def test_what_is_laid_down_is_fetched_in_order() -> None:
    handover = FrameQueue()
    handover.put(b"one", 1, True)
    handover.put(b"two", 2, False)
    units, luma = handover.fetch(0)
    assert units == [(b"one", 1), (b"two", 2)] and luma is None
    assert handover.fetch(0) == ([], None)


def test_an_overflow_drops_to_the_end_of_the_gop_and_is_counted() -> None:
    handover = FrameQueue()
    for number in range(PACKETS_MAX + 5):
        handover.put(b"x", number, number == 0)
    assert len(handover.fetch(0)[0]) == PACKETS_MAX and handover.dropped_n == 5
    handover.put(b"rest of the broken gop", 700, False)
    assert handover.fetch(0)[0] == [] and handover.dropped_n == 6
    handover.put(b"key", 701, True)
    handover.put(b"on", 702, False)
    assert [unit.pts_us for unit in handover.fetch(0)[0]] == [701, 702]


def test_bytes_are_bounded_too() -> None:
    handover = FrameQueue()
    for number in range(20):
        handover.put(b"x" * (1 << 20), number, True)
    assert len(handover.fetch(0)[0]) == 8 and handover.dropped_n == 12


def test_only_the_latest_picture_waits() -> None:
    handover = FrameQueue()
    for mono_s in (1.0, 2.0):
        handover.put_luma(Luma(np.zeros((2, 2), np.uint8), mono_s))
    _, luma = handover.fetch(0)
    assert luma is not None and luma.mono_s == 2.0


def test_a_callback_that_fails_ends_the_run_and_is_never_called_again() -> None:
    handover, calls = FrameQueue(), []

    def call(argument: int) -> None:
        calls.append(argument)
        raise OSError("no buffer")

    guarded = handover.guarded(call)
    guarded(1)
    guarded(2)
    assert calls == [1]
    with pytest.raises(OSError, match="no buffer"):
        handover.fetch(0)


def test_fetching_waits_no_longer_than_asked() -> None:
    began_s = time.monotonic()
    with Stopwatch() as watch:
        assert FrameQueue().fetch(0.05) == ([], None)
    assert time.monotonic() - began_s > 0.04 and watch.fair_s < 2
