"""A hundred thousand clips: what a start does takes as long as with ten, and no more memory."""
import tracemalloc

import pytest

from agent.core.media.mp4.salvage import salvage
from agent.store import clips
from agent.store.clip_recovery import recover_camera
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from agent.store.names import highest
from tests.conftest import HandClock
from tests.core.cut_material import record
from tests.core.mp4_material import read_at
from tests.rigs.cameras.h264 import movie
from tests.rigs.store import shelf
from tests.rigs.wait import Stopwatch

CLIPS_N = 100_000
START_S, MEMORY_B = 5.0, 2_000_000


@pytest.fixture
def shelved(folders: Folders, hand_clock: HandClock) -> Folders:
    """A store that full: rows of all clips, and files of the last thousand."""
    db = connect(folders.root)
    with transaction(db):
        clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
        columns = [row["name"] for row in db.execute("PRAGMA table_info(clip)") if row["name"] not in ("seq", "name")]
        clips.finish(db, 1, "done", 1000, 1000, 10)
        db.execute(f"WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {CLIPS_N}) "
                   f"INSERT INTO clip (seq, name, {', '.join(columns)}) "
                   f"SELECT n, printf('gate-0b007001-%06d', n), {', '.join(columns)} FROM n, clip WHERE seq = 1")
    db.close()
    for seq in range(CLIPS_N - 1000, CLIPS_N + 1):
        path = folders.clip(seq, f"gate-0b007001-{seq:06d}")
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return folders


def test_a_start_after_a_cut_takes_seconds_and_no_memory(shelved, hand_clock):
    info, packets = movie()
    torn = record(info, packets, packets[-1].dts_us + 100_000, finished=False)
    db = connect(shelved.root)
    name, _ = shelf.put(db, shelved, torn, finished=False)
    db.close()
    tracemalloc.start()
    with Stopwatch() as watch:
        db = connect(shelved.root)
        recover_camera(db, shelved, "gate", hand_clock)
    _, peak_b = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = clips.get(db, name)
    assert kept is not None and (kept.seq, kept.state) == (CLIPS_N + 1, "recovered")
    assert kept.frames == salvage(read_at(torn.data)).frames_n
    assert watch.fair_s < START_S and peak_b < MEMORY_B
    assert highest(shelved.clips) == CLIPS_N + 1        # of which a new database would go on
    db.close()
