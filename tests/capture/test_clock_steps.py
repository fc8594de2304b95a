"""A clock that is thrown about while a camera records: clips are as long as they were, in one piece, and in order."""
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket
from agent.config.settings import Camera, Motion
from agent.core.media.mp4.read import read_head
from agent.host.datagram import Outlet
from agent.store import clips
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S

INFO, MOVIE = movie()
YEAR_MS = 31_557_600_000
BEGIN_MS = 1_795_000_000_000
THROWS = {"not at all": [], "by a second and back": [1_000, -1_000], "by hours": [3 * 3_600_000, -3 * 3_600_000],
          "by fifty years": [50 * YEAR_MS, -50 * YEAR_MS], "to before 1970": [-BEGIN_MS - 86_400_000],
          "to 2106": [80 * YEAR_MS]}


def record(folders: Folders, clock: HandClock, place: Path, throws_ms: list[int]) -> None:
    """26 s of video at 10 fps, the wall clock moved at its begin, after 4 s, 8 s, ..."""
    live = LiveSocket(place / "live.sock")
    recorder = Recorder("gate", folders, clock, Outlet(place), ClipRules(1, pre_roll_s=1, always=True))
    camera = Camera(name="gate", source="rtsp://h/1", record="continuous", max_clip_s=10, motion=Motion(enabled=False))
    pipe = Pipe(camera, recorder, live, clock)
    recorder.start()
    pipe.stream(INFO)
    began_us = int(clock.mono * 1e6)
    for n in range(260):
        if n % 40 == 0 and n // 40 < len(throws_ms):
            clock.wall_ms += throws_ms[n // 40]
        at_us = began_us + n * 100_000
        pipe.packet(replace(MOVIE[n % len(MOVIE)], pts_us=at_us, dts_us=at_us))
        clock.advance(0.1)
    pipe.finish()
    recorder.finish(HANG_S)
    live.close()


@pytest.mark.parametrize("throws_ms", THROWS.values(), ids=THROWS.keys())
def test_no_throw_of_the_clock_splits_stretches_or_renames_a_clip(
        folders: Folders, hand_clock: HandClock, db: sqlite3.Connection, tmp_path: Path, throws_ms: list[int]):
    record(folders, hand_clock, tmp_path, throws_ms)
    found = clips.finished(db)[::-1]
    assert [clip.name for clip in found] == [f"gate-{hand_clock.boot}-{n:06d}" for n in (1, 2, 3)]
    assert [clip.dur_ms for clip in found] == [10_000, 10_000, 6_000] and sum(clip.frames for clip in found) == 260
    for one, following in zip(found, found[1:], strict=False):
        assert one.mono_ms + one.dur_ms == following.mono_ms
    data = folders.clip(found[0].seq, found[0].name).read_bytes()
    head = read_head(lambda offset, size_b: data[offset:offset + size_b])
    assert head.plan.wall_s == max(0, BEGIN_MS + sum(throws_ms[:1])) // 1000, "the file tells what the clock did"
