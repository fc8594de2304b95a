"""Another process holds the database, for as long as it likes: cameras record, and all rows come afterwards."""
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.capture import row_queue
from agent.capture.clip_rows import ClipRules
from agent.capture.clipfile import EncryptionPolicy
from agent.capture.recorder import Recorder
from agent.capture.writer_jobs import Block, EventOpen, Job, PauseNote
from agent.config.settings import Motion
from agent.core.contract.facts import Poke
from agent.core.evidence.encrypted import AES_GCM
from agent.host.clock import SystemClock, at
from agent.host.datagram import Inbox, Outlet
from agent.keeper.sweeper import DayKeys
from agent.store import clips, events, numbers, outbox
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.device.recorder import MOTION, START_US, STILL, clip
from tests.rigs.forked import FORKS
from tests.rigs.store.cards import swept
from tests.rigs.store.holder import Holder
from tests.rigs.wait import HANG_S, until

WAYS = ("writer", "reader")
SECOND_US, THIRD_US, FOURTH_US = (START_US + n * 10_000_000 for n in (1, 2, 3))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_queue, "BUSY_S", 0.05)
    monkeypatch.setattr(row_queue, "AGAIN_S", 0.01)


def make(folders: Folders, clock: object, runtime: Path, encrypts: bool = False) -> Recorder:
    return Recorder("gate", folders, clock, Outlet(runtime), ClipRules(1, pre_roll_s=5),
                    encryption=EncryptionPolicy(AES_GCM if encrypts else None))


@pytest.fixture
def recorder(folders: Folders, tmp_path: Path) -> Iterator[Recorder]:
    made = begun(make(folders, SystemClock(), tmp_path), folders)
    yield made
    made.finish(HANG_S)


def begun(recorder: Recorder, folders: Folders) -> Recorder:
    """Let it start, as a camera does: it reserves its numbers with the note that it may see."""
    recorder.start()
    assert recorder.offer([PauseNote(None)])
    with closing(connect(folders.root)) as db:
        until(lambda: numbers.reserved(db))
    return recorder


def record(recorder: Recorder, start_us: int = START_US, happens: Sequence[Job] = (), wall_ms: int = 0) -> None:
    """A clip of four seconds, with an event if it `happens`, as far as it can be done."""
    begin, end = clip(start_us, wall_ms)
    assert recorder.offer([*begin, *happens]) and recorder.offer([*end, *([STILL] if happens else [])])
    until(lambda: not recorder._queue.qsize())


def files(folders: Folders, ending: str = ".mp4") -> list[Path]:
    return sorted(folders.clips.glob(f"*/*{ending}"))


def kinds(db: sqlite3.Connection) -> list[str]:
    return [row["kind"] for row in outbox.after(db, 0, 1000)]


@pytest.mark.parametrize("way", WAYS)
def test_clips_and_events_of_a_held_database_come_in_their_order_once_it_is_free(recorder, folders, db, way):
    record(recorder)
    until(lambda: len(kinds(db)) == 1)
    errors_n = recorder.errors_n            # two that make a database at the same time may meet
    recorder.clip_lost.clear()
    with Holder(folders.root, way) as holder:
        record(recorder, SECOND_US, [EventOpen(SECOND_US + 1_000_000, 0.5, (), False)])
        record(recorder, THIRD_US)
        until(lambda: len(files(folders)) == 3 and recorder.rows.held_by == holder.pid)
        assert kinds(db) == ["clip"] and not events.latest(db)
        assert recorder.fault is None and recorder.errors_n == errors_n and not recorder.clip_lost.is_set()
    until(lambda: len(kinds(db)) == 5)
    assert kinds(db) == ["clip", "motion", "clip", "motion", "clip"]
    assert [(each.state, each.frames) for each in clips.finished(db)] == [("done", 40)] * 3
    event, = events.latest(db)
    assert (event.state, event.clip) == ("done", clips.finished(db)[1].name)
    assert recorder.fault is None and recorder.errors_n == errors_n and not recorder.dropped_n
    record(recorder, FOURTH_US)
    until(lambda: len(clips.finished(db)) == 4)
    assert [each.mono_ms for each in clips.finished(db)] == sorted((each.mono_ms for each in clips.finished(db)),
                                                                  reverse=True)
    assert swept(db, folders, SystemClock().now(), Keyring(folders).file_key) == (0, 0)


def test_a_clip_that_is_open_when_the_hold_begins_and_one_when_it_ends_are_whole(recorder, folders, db):
    begin, end = clip()
    recorder.offer(begin)
    until(lambda: recorder.recording)
    with Holder(folders.root, "writer"):
        recorder.offer(end)
        begin, end = clip(SECOND_US)
        recorder.offer(begin)
        until(lambda: len(files(folders)) == 1 and recorder.recording and recorder.rows.held_by is not None)
    until(lambda: recorder.rows.held_by is None)
    recorder.offer(end)
    until(lambda: [(each.state, each.frames) for each in clips.finished(db)] == [("done", 40)] * 2)


def test_a_clip_whose_end_never_came_is_completed_once_the_database_is_free(recorder, folders, db):
    with Holder(folders.root, "writer"):
        for start_us in (START_US, SECOND_US):
            recorder.offer(clip(start_us)[0])
        record(recorder, THIRD_US)
        until(lambda: len(files(folders)) == 1 and len(files(folders, ".part")) == 2)
    until(lambda: sorted(each.state for each in clips.finished(db)) == ["done", "recovered", "recovered"])
    assert kinds(db).count("clip") == 3 and recorder.fault is None


def test_a_camera_records_on_while_somebody_holds_the_database(rig: Rig):
    rig.start(f"file:{footage.clip(320, 180, 10, 10, 200)}", loop=True, record="continuous", max_clip_s=10,
              motion=Motion(enabled=False))
    until(lambda: rig.facts().recording)
    with Holder(rig.folders.root, "reader") as holder:
        until(lambda: rig.facts().database_held_by == holder.pid)
        until(lambda: len(files(rig.folders)) == 2)
        facts = rig.facts()
        assert (facts.write_fault, facts.dropped_n, facts.write_errors_n) == (None, 0, 0) and not rig.clips()
    until(lambda: len(rig.clips()) >= 2 and rig.facts().database_held_by is None)
    first, second, *_ = rig.clips()
    assert abs(first.mono_ms + first.dur_ms - second.mono_ms) <= 1
    assert len(rig.messages("clip")) == len(rig.clips())


def film(root: Path, runtime: Path, encrypts: bool, is_held: Any) -> None:
    """A recorder's life in a process of its own: while the database is held, one clip is finished, and one begun."""
    row_queue.BUSY_S, folders = 0.05, Folders(root)
    recorder = begun(make(folders, SystemClock(), runtime, encrypts), folders)
    is_held.wait()
    record(recorder, START_US, [MOTION], wall_ms(START_US))
    recorder.offer(clip(SECOND_US, wall_ms(SECOND_US))[0])
    signal.pause()


def wall_ms(start_us: int) -> int:
    return at(SystemClock().now(), start_us // 1000).wall_ms


@pytest.mark.parametrize("encrypts", [False, True], ids=["clear", "encrypted"])
def test_after_a_crash_the_sweep_adopts_and_announces_each_file_once(folders, db, tmp_path, encrypts):
    with closing(decisions.connect(folders)) as own:
        DayKeys(folders).renew(own, db, SystemClock().now())
    keeper, is_held = Inbox(tmp_path, "keeper"), FORKS.Event()
    dead = FORKS.Process(target=film, args=(folders.root, tmp_path, encrypts, is_held))
    dead.start()
    until(lambda: numbers.reserved(db))
    written_b = sum(len(job.data) for job in clip()[0] if isinstance(job, Block))
    with Holder(folders.root, "writer"):
        is_held.set()
        until(lambda: len(files(folders)) == 1 and [
            path for path in files(folders, ".part") if path.stat().st_size >= written_b])
        dead.kill()
        dead.join()
        born = make(folders, SystemClock(), tmp_path, encrypts)
        born.start()
        born.offer(clip(THIRD_US)[0])
        until(lambda: born.clip_lost.is_set())          # it has no number, and says so
        assert born.rows.held_by is not None and not born.rows.numbers and not born.recording and born.dropped_n
    until(lambda: Poke(what="sweep") in list(keeper.waiting()))
    for adopted_n in (2, 0):
        assert swept(db, folders, SystemClock().now(), Keyring(folders).file_key) == (adopted_n, 0)
    found = clips.finished(db)
    assert [(each.state, each.boot) for each in found] == [("recovered", SystemClock().now().boot)] * 2
    assert all(-1000 <= each.mono_ms - start_us // 1000 <= 10
               for each, start_us in zip(found, (SECOND_US, START_US), strict=True))
    assert found[1].frames == 40 and not files(folders, ".part") and kinds(db) == ["clip", "clip"]
    record(born, FOURTH_US)
    until(lambda: len(clips.finished(db)) == 3)
    assert clips.finished(db)[0].state == "done" and born.fault is None
    born.finish(HANG_S)
    keeper.close()


def test_a_row_that_comes_after_the_sweep_has_adopted_its_file_makes_no_second_one(folders, db, tmp_path, hand_clock):
    recorder = begun(make(folders, hand_clock, tmp_path), folders)      # tries again only when the clock is moved
    with Holder(folders.root, "writer") as holder:
        record(recorder, START_US, [MOTION])
        until(lambda: len(files(folders)) == 1 and recorder.rows.held_by == holder.pid)
    assert swept(db, folders, hand_clock.now(), Keyring(folders).file_key) == (1, 0)
    hand_clock.advance(1)
    until(lambda: events.latest(db) and events.latest(db)[0].state == "done")
    kept, = clips.finished(db)
    assert kept.state == "recovered" and events.latest(db)[0].clip == kept.name
    assert sorted(kinds(db)) == ["clip", "motion", "motion"] and recorder.fault is None
    recorder.finish(HANG_S)


def test_when_all_reserved_numbers_are_used_that_is_told_and_counted(folders, db, tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "RANGE_N", 2)
    recorder = begun(make(folders, SystemClock(), tmp_path), folders)
    with Holder(folders.root, "writer"):
        for start_us in (START_US, SECOND_US):
            record(recorder, start_us)
        until(lambda: len(files(folders)) == 2)
        record(recorder, THIRD_US)
        until(lambda: recorder.clip_lost.is_set())
        assert recorder.rows.held_by is not None and not recorder.rows.numbers
        assert recorder.dropped_n and not recorder.recording
    until(lambda: recorder.rows.held_by is None)
    record(recorder, FOURTH_US)
    until(lambda: [each.state for each in clips.finished(db)] == ["done"] * 3)
    recorder.finish(HANG_S)


def test_changes_beyond_what_may_wait_are_counted(recorder, folders, db, monkeypatch):
    monkeypatch.setattr(row_queue, "PENDING_MAX", 4)
    with Holder(folders.root, "writer"):
        for n in range(3):
            assert recorder.offer([EventOpen(START_US + n, 0.5, (), False), STILL])
        until(lambda: recorder.dropped_n == 2)
    until(lambda: len(events.latest(db)) == 2)
