"""Between a camera library's threads and ours: bounded, and never waiting."""
import time

import numpy as np
import pytest

from agent.cameras.frame_queue import PACKETS_MAX, FrameQueue
from agent.core.vision.luma import Luma
from tests.rigs.wait import Stopwatch


def test_what_is_laid_down_is_fetched_in_order() -> None:
    queue = FrameQueue()
    queue.put(b"one", 1, True)
    queue.put(b"two", 2, False)
    units, luma = queue.fetch(0)
    assert units == [(b"one", 1), (b"two", 2)] and luma is None
    assert queue.fetch(0) == ([], None)


def test_an_overflow_drops_to_the_end_of_the_gop_and_is_counted() -> None:
    queue = FrameQueue()
    for number in range(PACKETS_MAX + 5):
        queue.put(b"x", number, number == 0)
    assert len(queue.fetch(0)[0]) == PACKETS_MAX and queue.dropped_n == 5
    queue.put(b"rest of the broken gop", 700, False)
    assert queue.fetch(0)[0] == [] and queue.dropped_n == 6
    queue.put(b"key", 701, True)
    queue.put(b"on", 702, False)
    assert [unit.pts_us for unit in queue.fetch(0)[0]] == [701, 702]


def test_bytes_are_bounded_too() -> None:
    queue = FrameQueue()
    for number in range(20):
        queue.put(b"x" * (1 << 20), number, True)
    assert len(queue.fetch(0)[0]) == 8 and queue.dropped_n == 12


def test_only_the_latest_picture_waits() -> None:
    queue = FrameQueue()
    for mono_s in (1.0, 2.0):
        queue.put_luma(Luma(np.zeros((2, 2), np.uint8), mono_s))
    _, luma = queue.fetch(0)
    assert luma is not None and luma.mono_s == 2.0


def test_a_callback_that_fails_ends_the_run_and_is_never_called_again() -> None:
    queue, calls = FrameQueue(), []

    def call(argument: int) -> None:
        calls.append(argument)
        raise OSError("no buffer")

    guarded = queue.guarded(call)
    guarded(1)
    guarded(2)
    assert calls == [1]
    with pytest.raises(OSError, match="no buffer"):
        queue.fetch(0)


def test_fetching_waits_no_longer_than_asked() -> None:
    began_s = time.monotonic()
    with Stopwatch() as watch:
        assert FrameQueue().fetch(0.05) == ([], None)
    assert time.monotonic() - began_s > 0.04 and watch.fair_s < 2
