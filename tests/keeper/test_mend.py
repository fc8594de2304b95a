"""A damaged database: set aside, what can be read of it goes on, and nobody writes into the old one any more."""
import sqlite3
from pathlib import Path

import pytest

from agent.keeper import repair
from agent.store import clips, events, meta, outbox
from agent.store.database import MENDED, Replaced, StoreError, connect, current, is_damage, transaction
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.spoil import OTHER, pages, spoil


@pytest.fixture
def full(folders: Folders, hand_clock: HandClock) -> Folders:
    """A store with several pages of each of its tables, closed."""
    db = connect(folders.root)
    meta.device_id(db)
    with transaction(db):
        for number in range(400):
            clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
            events.open_row(db, "gate", "motion", hand_clock.now())
            outbox.append(db, "motion", "gate", hand_clock.now(), f'{{"n":{number},"pad":"{"x" * 200}"}}')
        outbox.settle(db, range(101))
    db.close()
    return folders


def numbers(db: sqlite3.Connection, table: str, column: str) -> list[int]:
    return [row[0] for row in db.execute(f"SELECT {column} FROM {table} ORDER BY {column}")]


def test_what_can_be_read_goes_on_from_both_ends_of_the_damage(full):
    leaves = pages(full, "outbox")
    spoil(full, leaves[len(leaves) // 2])
    done = repair.mend(full)
    db = connect(full.root)
    kept = numbers(db, "outbox", "seq")
    assert done.torn == ("outbox",) and (full.root / done.aside).exists()
    assert kept[0] == 101 and kept[-1] == 400 and 250 < len(kept) < 300
    assert numbers(db, "clip", "seq") == numbers(db, "event", "id") == list(range(1, 401))
    assert outbox.next_seq(db) == 401 and repair.is_sound(db)
    db.close()


def test_a_file_of_which_nothing_can_be_read_gives_an_empty_one_that_repeats_no_number(full, hand_clock):
    path = full.clip(731, "gate-0b007001-000731")
    path.parent.mkdir()
    path.touch()
    spoil(full, 1)
    with pytest.raises(StoreError) as told:
        connect(full.root)
    assert is_damage(told.value)
    repair.mend(full)
    db = connect(full.root)
    assert numbers(db, "outbox", "seq") == [] and outbox.next_seq(db) > 1_000_000
    assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 1, 1)[0] == 732
    db.close()


@pytest.mark.parametrize("lasts_to", ["a flush", "its name", "the log is aside", "the old one is aside"])
def test_a_cut_at_any_step_loses_neither_database(full, monkeypatch, lasts_to):
    class Cut(Exception):
        """The power goes."""

    def cut(*_: object) -> None:
        raise Cut

    step = {"a flush": "_flush", "its name": "rename_durably", "the log is aside": "os.link",
            "the old one is aside": "os.rename"}[lasts_to]
    spoil(full, 1)
    with monkeypatch.context() as patch:
        patch.setattr(f"agent.keeper.repair.{step}", cut)
        with pytest.raises(Cut):
            repair.mend(full)
    if (full.root / MENDED).exists():
        with pytest.raises(StoreError, match="the keeper has not put the mended one"):
            connect(full.root)
        repair.finish(full)
    else:
        repair.mend(full)
    connect(full.root).close()
    asides = [path for path in full.root.glob(f"{repair.ASIDE}*") if path.suffix[-1].isdecimal()]
    assert asides and all(path.read_bytes().startswith(OTHER) for path in asides)
    assert not (full.root / MENDED).exists() and repair.finish(full) is None


def test_who_has_the_old_one_open_is_told_before_he_writes_and_finds_the_new_one(full, hand_clock):
    old = connect(full.root)
    repair.mend(full)
    with pytest.raises(Replaced), transaction(old):
        outbox.append(old, "motion", "gate", hand_clock.now(), "{}")
    new = current(old)
    with transaction(new):
        assert outbox.append(new, "motion", "gate", hand_clock.now(), "{}") == 401
    assert current(new) is new
    new.close()
    db = connect(full.root)
    assert outbox.next_seq(db) == 402       # closing the old one took nothing of the new one along
    db.close()


def test_a_writer_that_was_quicker_is_waited_for_and_its_event_goes_on(full, hand_clock):
    writer = connect(full.root)
    with transaction(writer):
        outbox.append(writer, "motion", "gate", hand_clock.now(), "{}")
    done = repair.mend(full)
    log = Path(f"{done.aside}-wal")         # of the old one: the new one would take it for its own
    assert done.torn == () and log.stat().st_size > 0
    db = connect(full.root)
    assert outbox.next_seq(db) == 402 and repair.is_sound(db)
    db.close()
    writer.close()


def test_only_the_newest_damaged_ones_are_kept(full):
    for _ in range(5):
        repair.mend(full)
    found = {path.name.rpartition("damaged-")[2][0] for path in full.root.glob(f"{repair.ASIDE}*")}
    assert found == {"3", "4", "5"}


def test_a_lost_database_does_not_give_the_numbers_of_clips_again(folders, hand_clock):
    for name in ("gate-0b007001-000008.mp4", "gate-0b007001-000009.mp4.part", "holiday.mp4"):
        path = folders.clips / "000000" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (folders.clips / "000001").mkdir()
    db = connect(folders.root)
    assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 1, 1)[0] == 10
    db.close()


def test_a_database_of_a_newer_version_is_no_damage(folders, db):
    db.execute("PRAGMA user_version = 9999")
    db.execute("DELETE FROM meta WHERE key = 'readable_from'")
    with pytest.raises(StoreError) as told:
        connect(folders.root)
    assert not is_damage(told.value)


def test_what_sqlite_says_of_other_troubles_is_no_damage(tmp_path: Path):
    with pytest.raises(StoreError) as told:
        connect(tmp_path / "nowhere")
    assert not is_damage(told.value) and not is_damage(sqlite3.OperationalError("database or disk is full"))
