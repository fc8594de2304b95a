"""The store's rows: promises that hang on the database itself."""
import contextlib
import os
import sqlite3

import pytest

from agent.keeper.ledger_writer import LedgerWriter
from agent.store import boots, clips, database, events, identity, meta, outbox
from agent.store.damage import may_be_damage
from agent.store.database import FILE, StoreError, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.schema import READABLE_FROM, SCHEMA
from tests.conftest import HandClock
from tests.rigs.store.cards import go_behind_the_card


def test_commits_are_flushed_and_readers_never_block(db):
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


@pytest.mark.parametrize("stranger", [
    "CREATE TRIGGER stranger BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TRIGGER stranger AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
    "CREATE TRIGGER stranger AFTER INSERT ON meta WHEN (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
    "FROM n) SELECT COUNT(*) FROM n) BEGIN SELECT 1; END"])
def test_what_another_role_has_laid_into_the_schema_does_not_run(folders, db, stranger):
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as other:
        other.executescript(stranger)
    with contextlib.closing(connect(folders.root)) as fresh:
        for connection in (db, fresh):
            meta.put(connection, "key", "value")
            assert meta.get(connection, "key") == "value"


def newer(db, readable_from: int | None) -> None:
    """A newer version was here, and left this."""
    db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.execute("CREATE TABLE news (n INTEGER)")
    db.execute("DELETE FROM meta WHERE key = 'readable_from'")
    if readable_from is not None:
        meta.put(db, "readable_from", str(readable_from))


@pytest.mark.parametrize("readable_from", [SCHEMA + 1, None])
def test_a_store_that_a_newer_version_has_changed_is_refused(folders, db, readable_from):
    newer(db, readable_from)
    with pytest.raises(StoreError, match="newer Taimat"):
        connect(folders.root)


def test_a_store_that_a_newer_version_has_only_added_to_is_used_as_it_is(folders, db, hand_clock: HandClock):
    assert int(meta.get(db, "readable_from")) == READABLE_FROM <= SCHEMA
    newer(db, SCHEMA)
    again = connect(folders.root)
    assert outbox.append(again, "motion", "gate", hand_clock.now(), "{}") == 1
    assert again.execute("PRAGMA user_version").fetchone()[0] == SCHEMA + 1
    again.close()


def test_a_store_from_before_the_first_release_is_refused_and_once_moved_away_a_new_one_goes_on(folders, db,
                                                                                                hand_clock: HandClock):
    seq, name = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    folders.clip(seq, name).parent.mkdir(parents=True)
    folders.clip(seq, name).touch()
    db.execute(f"PRAGMA user_version = {SCHEMA - 1}")
    db.close()
    with pytest.raises(StoreError, match=rf"before its first release \(schema {SCHEMA - 1}, .*move"):
        connect(folders.root)
    (folders.root / FILE).rename(folders.root / "elsewhere")
    go_behind_the_card(folders, hand_clock)
    again = connect(folders.root)
    assert clips.open_row(again, "gate", "motion", hand_clock.now(), "h264", 320, 180)[0] == seq + 1
    again.close()


def test_a_store_that_cannot_be_opened_says_where_and_what_to_do(tmp_path):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="taimat.db.*taimat doctor"):
        connect(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another one under"):
        Folders(tmp_path / "file" / "store").create()


def test_a_message_exists_exactly_if_its_transaction_does(db, hand_clock: HandClock):
    with pytest.raises(RuntimeError), transaction(db):
        outbox.append(db, "motion", "gate", hand_clock.now(), "{}")
        raise RuntimeError
    assert outbox.waiting(db)[0] == 0


def test_a_sequence_number_is_never_used_twice(db, hand_clock: HandClock):
    first = outbox.append(db, "motion", "gate", hand_clock.now(), "{}")
    outbox.settle(db, [first])
    assert outbox.next_seq(db) == first + 1 == outbox.append(db, "motion", "gate", hand_clock.now(), "{}")


def test_receipts_and_quarantine_empty_the_outbox(db, hand_clock: HandClock):
    seqs = [outbox.append(db, "motion", "gate", hand_clock.now(), f'{{"n":{n}}}') for n in range(6)]
    outbox.settle(db, [*seqs[:2], seqs[3]])
    outbox.quarantine(db, seqs[4], "schema")
    assert [row["seq"] for row in outbox.after(db, 0, 10)] == [seqs[2], seqs[5]]
    assert db.execute("SELECT seq, code, data FROM quarantine").fetchall()[0]["data"] == '{"n":4}'


def test_rows_of_a_boot_are_dated_once_its_clock_is_right(db, hand_clock: HandClock):
    hand_clock.wall_ms, hand_clock.state = 0, "unset"
    seq, name = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    boots.date(db, hand_clock.boot, 1_795_000_000_000)
    clip = clips.get(db, name)
    assert clip is not None and clip.wall_ms == 1_795_000_000_000 + clip.mono_ms


def test_an_event_shows_its_first_clip_that_still_exists(db, hand_clock: HandClock):
    names = []
    for _ in range(2):
        seq, name = clips.open_row(db, "gate", "continuous", hand_clock.now(), "h264", 320, 180)
        clips.finish(db, seq, "done", 60_000, 100, 600)
        names.append((seq, name))
        hand_clock.advance(60)
    hand_clock.advance(-62)
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    for seq, _ in names:
        events.tie(db, event, seq)
    events.finish(db, event, 5000, 0.5, 1, [[0.1, 0.2, 0.3, 0.4]], "1", "x.jpg")
    found = events.latest(db)[0]
    assert (found.clip, found.clip_offset_ms, found.boxes) == (names[0][1], 58_000, [[0.1, 0.2, 0.3, 0.4]])
    clips.condemn(db, [names[0][1]], "age")
    clips.bury(db, [names[0][0]])
    found = events.latest(db)[0]
    assert (found.clip, found.clip_offset_ms) == (names[1][1], 0)
    assert events.drop_orphaned_thumbs(db, [names[0][0]]) == []
    clips.condemn(db, [names[1][1]], "age")
    clips.bury(db, [names[1][0]])
    assert events.drop_orphaned_thumbs(db, [names[1][0]]) == ["x.jpg"]


def test_the_picture_of_an_event_whose_clip_was_lost_goes_with_the_next_deletion(db, hand_clock: HandClock):
    event = events.open_row(db, "gate", "motion", hand_clock.now())
    events.finish(db, event, 5000, 0.5, 1, [], "1", "x.jpg")
    seq, _ = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    events.tie(db, event, seq)
    clips.lose(db, seq, "the cut came first")
    assert events.drop_orphaned_thumbs(db, []) == ["x.jpg"] and events.drop_orphaned_thumbs(db, []) == []


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def test_a_statement_without_an_end_is_interrupted_and_may_be_damage(db, monkeypatch):
    monkeypatch.setattr(database, "STEPS_N_MAX", 3_000_000)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="interrupted") as met:
            db.execute(ENDLESS)
        assert may_be_damage(met.value)
    for _ in range(30):             # each statement has its own measure
        counted = ENDLESS.replace("COUNT(*) FROM n", "* FROM n LIMIT 100000")
        assert db.execute(f"SELECT COUNT(*) FROM ({counted})").fetchone()[0]


def test_tables_of_the_past_stay_bounded(db, hand_clock: HandClock):
    for n in range(30):
        seq, name = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
        clips.finish(db, seq, "done", 1, 1, 1)
        events.tie(db, events.open_row(db, "gate", "motion", hand_clock.now()), seq)
        events.finish(db, n + 1, 1, 0, 0, [], "1", f"{n}.jpg")
        clips.condemn(db, [name], "space")
        clips.bury(db, [seq])
    assert events.forget(db, 10) == [f"{n}.jpg" for n in range(20)]
    assert clips.forget_deleted(db, 5) == 25
    assert db.execute("SELECT COUNT(*) FROM event_clip").fetchone()[0] == 5


def test_counters_and_names_survive(db, folders):
    assert meta.count_up(db, "conn") == 1
    other = connect(folders.root)
    assert meta.count_up(other, "conn") == 2
    other.close()


def test_a_device_whose_name_is_damaged_has_it_from_its_ledger(folders, db, hand_clock):
    name = identity.name(folders, db)
    assert identity.name(folders, db) == identity.named(folders.root) == name
    LedgerWriter(folders, hand_clock, decisions.connect(folders)).seal_some(db)
    (folders.household / identity.FILE).write_bytes(b"\xa5" * 14)
    assert identity.named(folders.root) is None and identity.name(folders, db) == name


def test_two_connections_write_one_after_the_other(folders, db):
    other = connect(folders.root)
    with transaction(db):
        meta.put(db, "a", "1")
        other.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(other):
            meta.put(other, "a", "2")
    other.close()


@pytest.mark.parametrize("side", ["-journal", "-wal", "-shm"])
def test_a_pipe_beside_the_database_keeps_nobody_waiting(folders: Folders, hand_clock: HandClock, side: str):
    with contextlib.closing(connect(folders.root)) as made:
        clips.open_row(made, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    os.mkfifo(f"{folders.root / FILE}{side}")
    with contextlib.closing(connect(folders.root)) as again:
        assert again.execute("SELECT COUNT(*) FROM clip").fetchone()[0] == 1
