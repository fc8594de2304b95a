"""When the recorder flushes what it has written of a clip."""
import os
from pathlib import Path

import pytest

from agent.capture.clip_rows import LAGS_B, ClipRules
from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import Block, ClipBegin
from agent.host.datagram import Outlet
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie

BEGIN = [ClipBegin(movie()[0], 1_000_000_000, "motion"), Block(bytes(100))]
PIECE_B = 1_000_000


class Flushes:
    """How large the clip was at each of its flushes."""

    def __init__(self, clips: Path) -> None:
        self.at_b: list[int] = []
        self._clips, self._flush = clips, os.fdatasync

    def __call__(self, handle: int) -> None:
        self._flush(handle)
        if os.readlink(f"/proc/self/fd/{handle}").startswith(str(self._clips)):
            self.at_b.append(os.fstat(handle).st_size)


@pytest.fixture
def flushes(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Flushes:
    made = Flushes(folders.clips)
    monkeypatch.setattr(os, "fdatasync", made)
    return made


@pytest.fixture
def recorder(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Recorder:
    return Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1.8, pre_roll_s=5))


def work(recorder: Recorder) -> None:
    """Have it do what is queued, here and now."""
    recorder.end()
    recorder.run()


def test_a_flush_comes_after_all_that_came_with_the_block_that_asks_for_it(recorder: Recorder, flushes: Flushes):
    recorder.offer([*BEGIN, Block(bytes(10), flush=True), Block(bytes(10), flush=True), Block(bytes(1))])
    work(recorder)
    assert flushes.at_b == [121]
    recorder.offer([Block(bytes(10))])
    work(recorder)
    assert flushes.at_b == [121], "nothing asked for another one"


def test_a_recorder_that_lags_behind_flushes_what_waits_together(recorder: Recorder, flushes: Flushes):
    recorder.offer(BEGIN)
    for _ in range(11):
        recorder.offer([Block(bytes(PIECE_B), flush=True)])
    work(recorder)
    steps = [b - a for a, b in zip([0, *flushes.at_b], flushes.at_b, strict=False)]
    assert sum(steps) == 100 + 11 * PIECE_B, "all of it"
    assert len(steps) == 3 and max(steps) <= LAGS_B + PIECE_B + 100
