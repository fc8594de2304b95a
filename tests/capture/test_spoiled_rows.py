"""A row of the database holds what nobody has written: it costs the camera nothing, and once it is gone nothing waits.
"""
import os
import sqlite3
from pathlib import Path

import pytest

from agent.capture import row_queue
from agent.capture.recorder import Recorder
from agent.store import clips, damage, events, membership, outbox
from agent.store.database import transaction
from tests.rigs.device.recorder import MOTION, START_US, STILL, clip, make, obey
from tests.rigs.store.joined import WARD

LATER_US = START_US + 20_000_000
NO_TEXT = "CAST(X'FFFE41' AS TEXT)"


@pytest.fixture(autouse=True)
def doubt(monkeypatch: pytest.MonkeyPatch) -> damage.Doubt:
    """What this process has met: nothing yet."""
    monkeypatch.setattr(damage, "DOUBT", damage.Doubt())
    return damage.DOUBT


@pytest.fixture
def recorder(folders, hand_clock, tmp_path: Path) -> Recorder:
    return make(folders, hand_clock, tmp_path, always=False)


def record(recorder: Recorder, start_us: int = START_US) -> None:
    begin, end = clip(start_us)
    obey(recorder, [*begin, *end])
    assert recorder.fault is None and not recorder.dropped_n


@pytest.mark.parametrize("spoiling", [
    f"UPDATE clip SET codec = {NO_TEXT}", f"UPDATE clip SET name = {NO_TEXT}", "UPDATE clip SET wall_ms = 1 << 60",
    "UPDATE event SET zones = '{'", "UPDATE event SET boxes = '[[\"a\"]]'", f"UPDATE event SET boot = {NO_TEXT}",
    "UPDATE event SET mono_ms = 1 << 60", f"UPDATE absence SET boot = {NO_TEXT}",
    "UPDATE absence SET wall_ms = 1 << 62",
    f"INSERT INTO boot (id) VALUES ({NO_TEXT})", "INSERT INTO deferred (events, kind, boot, mono_ms, wall_ms, clock, "
    "data) VALUES ('[1', 'motion', 'b', 1, 1, 'ntp', '{}')", "UPDATE outbox SET data = ''",
    "UPDATE sqlite_sequence SET seq = 'many' WHERE name = 'event'"])
def test_whatever_an_earlier_life_has_left_a_camera_records_at_once(db, folders, hand_clock, tmp_path, spoiling: str):
    if not (earlier := os.fork()):
        obey(make(folders, hand_clock, tmp_path, always=False), [*clip()[0], MOTION])
        os._exit(0)                     # the power goes, and with it the lock on the clip
    os.waitpid(earlier, 0)
    db.execute("INSERT INTO absence (camera, why, boot, mono_ms, wall_ms, clock) VALUES ('gate', 'camera', 'b', 1, 1, "
               "'ntp')")
    db.execute(spoiling)
    hand_clock.boot = "0b007002"
    record(make(folders, hand_clock, tmp_path, always=False), LATER_US)
    assert db.execute("SELECT state FROM clip WHERE boot = '0b007002'").fetchone()[0] == "done"


def test_an_event_whose_message_a_spoiled_row_is_in_the_way_of_is_written_once_it_is_gone(recorder, db):
    """Whether the ward is told of it can't be known meanwhile; the clips that show it do not wait for that."""
    with transaction(db):
        db.execute(f"UPDATE meta SET value = {NO_TEXT} WHERE key = 'joined'")
    begin, end = clip()
    obey(recorder, [MOTION, *begin, *end, STILL])
    record(recorder, LATER_US)
    assert [row.state for row in clips.finished(db)] == [] and not events.latest(db)
    assert db.execute("SELECT COUNT(*) FROM clip").fetchone()[0] == 2       # begun in time
    membership.put(db, membership.Membership(ward=WARD.ward, told=["motion", "clip"]))
    obey(recorder)
    assert [row.state for row in clips.finished(db)] == ["done", "done"]
    assert [event.state for event in events.latest(db)] == ["done"]
    assert [row["kind"] for row in outbox.after(db, 0, 9)] == ["motion", "clip", "motion", "clip"]


def test_changes_that_wait_for_ever_are_bounded_and_counted_and_clips_go_on(recorder, db, monkeypatch):
    monkeypatch.setattr(row_queue, "PENDING_MAX", 64)
    db.execute(f"UPDATE meta SET value = {NO_TEXT} WHERE key = 'joined'")
    for _ in range(70):
        obey(recorder, [MOTION, STILL])
    begin, end = clip(LATER_US)
    obey(recorder, [*begin, *end])
    assert recorder.fault is None and recorder.dropped_n >= 2 * 70 - 64
    assert db.execute("SELECT COUNT(*) FROM clip").fetchone()[0] == 1


def test_the_keeper_hears_of_damage_at_once_and_of_what_may_be_the_second_time(recorder, db, doubt):
    told: list[str] = []
    doubt.tell = lambda: told.append("look")
    for error in (ValueError("once"), OSError("the card"), sqlite3.OperationalError("database is locked")):
        damage.meet(error)
    assert not told
    damage.meet(ValueError("again"))
    assert told == ["look"]
    doubt.met_n = 0
    db.execute(f"UPDATE meta SET value = {NO_TEXT} WHERE key = 'joined'")
    obey(recorder, [MOTION])
    assert told == ["look"] * 2
