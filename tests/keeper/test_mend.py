"""A damaged database: set aside, what can be read of it goes on, and nobody writes into the old one any more."""
import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from agent.keeper import renewal, repair
from agent.keeper.repair import open_own
from agent.store import clips, events, meta, outbox
from agent.store.damage import is_damage
from agent.store.database import FILE, WAITING, Replaced, StoreError, connect, current, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.numbers import LEAP
from tests.conftest import HandClock
from tests.keeper import exfat
from tests.rigs.store.cards import go_behind_the_card
from tests.rigs.store.cut_at_call import cut_before
from tests.rigs.store.damage import OTHER, all_pages, pages, root_of, rows_by_page, spoil
from tests.rigs.store.joined import join


@pytest.fixture
def full(folders: Folders, hand_clock: HandClock) -> Folders:
    """A store with several pages of each of its tables, closed."""
    db = join(connect(folders.root))
    meta.put(db, "conn", "1")
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
    done = repair.rebuild(full)
    db = connect(full.root)
    kept = numbers(db, "outbox", "seq")
    assert done.torn == ("outbox",) and (full.root / done.aside).exists()
    assert kept[0] == 101 and kept[-1] == 400 and 250 < len(kept) < 300
    assert numbers(db, "clip", "seq") == numbers(db, "event", "id") == list(range(1, 401))
    assert outbox.next_seq(db) == 401 and repair.is_sound(db)
    db.close()


def test_sixty_random_kilobytes_cost_the_rows_that_lay_there_and_no_others(full):
    dice = random.Random(13)
    struck = {1, *dice.sample(all_pages(full), 59)}
    left = {}
    for table in ("clip", "event", "outbox"):
        left[table] = sum(rows_n for page, rows_n in rows_by_page(full, table).items() if page not in struck)
    spoil(full, *struck, other=dice.randbytes)
    done = repair.rebuild(full)
    db = connect(full.root)
    assert {table: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in left} == left
    assert repair.is_sound(db) and left.keys() <= set(done.torn) and sum(left.values()) > 700
    assert all(len(data) > 200 and data.startswith('{"n":') for data, in db.execute("SELECT data FROM outbox"))
    db.close()


def test_what_was_still_in_the_log_of_a_live_one_goes_on(full, hand_clock):
    writer = connect(full.root)
    with transaction(writer):
        for _ in range(50):
            clips.open_row(writer, "gate", "motion", hand_clock.now(), "h264", 320, 180)
    with (full.root / FILE).open("r+b") as file:
        for kilobyte in (0, 30, 60):
            file.seek(kilobyte * 1000)                  # across the borders of its pages
            file.write(random.Random(kilobyte).randbytes(1000))
    repair.rebuild(full)
    db = connect(full.root)
    assert set(range(401, 451)) <= set(numbers(db, "clip", "seq")) and repair.is_sound(db)
    assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 1, 1)[0] == 451
    db.close()
    writer.close()


@pytest.mark.parametrize("tool", ["sqlite3", "is not there"])
def test_a_damaged_schema_costs_nothing(full, monkeypatch, tool):
    monkeypatch.setattr("agent.keeper.salvage.TOOL", tool)
    spoil(full, 1, 7, 11)
    with contextlib.closing(connect(Folders(full.root / "fresh").create().root)) as fresh:
        roots = {row["rootpage"] for row in fresh.execute("SELECT rootpage FROM sqlite_schema")}
    assert not roots & {1, 7, 11}
    assert repair.rebuild(full).torn == ()
    db = connect(full.root)
    assert numbers(db, "clip", "seq") == numbers(db, "event", "id") == list(range(1, 401))
    assert numbers(db, "outbox", "seq") == list(range(101, 401)) and outbox.next_seq(db) == 401
    db.close()


def test_rows_that_have_lost_their_table_are_known_by_their_form(full):
    spoil(full, root_of(full, "event"), root_of(full, "clip"))
    done = repair.rebuild(full)
    db = connect(full.root)
    assert numbers(db, "clip", "seq") == numbers(db, "event", "id") == list(range(1, 401))
    assert set(done.torn) == {"event", "clip"}
    db.close()


def test_of_what_the_damaged_one_says_nothing_is_carried_out(full, tmp_path):
    """Its schema and its texts are somebody else's words, and SQLite's own recovery repeats them."""
    evil = f"');\n.shell touch {tmp_path}/shell\nDELETE FROM event;\n"
    with contextlib.closing(connect(full.root)) as db:
        db.execute(f"CREATE TABLE stranger (n INTEGER PRIMARY KEY /*\n.shell touch {tmp_path}/sql\n*/)")
        db.execute("INSERT INTO stranger VALUES (1)")
        meta.put(db, "evil", evil)
    spoil(full, pages(full, "outbox")[3])
    repair.rebuild(full)
    db = connect(full.root)
    assert meta.get(db, "evil") == evil
    assert numbers(db, "event", "id") == list(range(1, 401))
    assert not (tmp_path / "shell").exists() and not (tmp_path / "sql").exists()
    assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name IN ('stranger', 'lost_and_found')").fetchall()
    db.close()


def test_a_file_of_which_nothing_can_be_read_gives_an_empty_one_that_repeats_no_number(full, hand_clock):
    path = full.clip(731, "gate-0b007001-000731")
    path.parent.mkdir()
    path.touch()
    spoil(full, *all_pages(full))
    with pytest.raises(StoreError) as told:
        connect(full.root)
    assert is_damage(told.value)
    repair.rebuild(full)
    db = connect(full.root)
    assert numbers(db, "outbox", "seq") == [] and outbox.next_seq(db) > 1_000_000
    assert clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 1, 1)[0] == LEAP["clip"] + 1
    db.close()


@pytest.mark.parametrize("lasts_to", [("os.fsync", 0), ("rename_durably", 0), ("os.rename", 0), ("os.rename", 1),
                                      ("os.rename", 2), ("sync_folder", 0), ("rename_durably", 1)],
                         ids=lambda step: f"{step[0]} {step[1]}")
def test_a_cut_at_any_step_loses_neither_database(full, monkeypatch, lasts_to):
    logged = connect(full.root)             # its log and index lie beside it
    spoil(full, 1)
    old = (full.root / FILE).read_bytes()
    with cut_before(monkeypatch, renewal, *lasts_to):
        repair.rebuild(full)
    if (full.root / f"{FILE}{WAITING}").exists():
        with pytest.raises(StoreError, match="the keeper has not put"):
            connect(full.root)
        assert repair.finish(full) == full.root / f"{repair.ASIDE}1"
    else:
        repair.rebuild(full)
    with contextlib.closing(connect(full.root)) as db:
        assert numbers(db, "event", "id") == list(range(1, 401))
    assert (full.root / f"{repair.ASIDE}1").read_bytes() == old and not (full.root / f"{repair.ASIDE}2").exists()
    assert not (full.root / f"{FILE}{WAITING}").exists() and repair.finish(full) is None
    logged.close()


def test_a_file_that_was_made_while_they_change_places_gets_no_tables(full, monkeypatch):
    """Nothing may be written beside it: it would be taken for the log of the mended one."""
    spoil(full, 1)
    with cut_before(monkeypatch, renewal, "sync_folder", 0):
        repair.rebuild(full)
    looks = [False, True]                   # the first one just before it waited
    with monkeypatch.context() as patch, pytest.raises(StoreError, match="the keeper has not put"):
        patch.setattr("agent.store.database.is_own", lambda path: looks.pop(0))
        connect(full.root)
    log = Path(f"{full.root / FILE}-wal")
    assert not looks and (not log.exists() or not log.stat().st_size)
    repair.finish(full)
    with contextlib.closing(connect(full.root)) as db:
        assert numbers(db, "event", "id") == list(range(1, 401))


@pytest.mark.skipif(bool(exfat.missing()), reason=exfat.missing())
def test_a_card_whose_file_system_knows_no_second_names_is_mended_too(tmp_path, hand_clock):
    with exfat.card(tmp_path) as mount:
        folders = Folders(mount / "store").create()
        with contextlib.closing(connect(folders.root)) as db:
            for _ in range(50):
                events.open_row(db, "gate", "motion", hand_clock.now())
        with contextlib.closing(decisions.connect(folders)) as own:
            meta.put(own, "pairing_code", "AB12CD34")
        spoil(folders, 1)
        kept = folders.keys / decisions.FILE
        kept.write_bytes(OTHER * 64 + kept.read_bytes()[len(OTHER) * 64:])
        with contextlib.closing(repair.open_database(folders)[0]) as db:
            assert numbers(db, "event", "id") == list(range(1, 51))
        with contextlib.closing(open_own(folders)[0]) as own:
            assert meta.get(own, "pairing_code") == "AB12CD34"


def test_who_has_the_old_one_open_is_told_before_he_writes_and_finds_the_new_one(full, hand_clock):
    old = connect(full.root)
    repair.rebuild(full)
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
    done = repair.rebuild(full)
    log = Path(f"{done.aside}-wal")         # of the old one: the new one would take it for its own
    assert done.torn == () and log.stat().st_size > 0
    db = connect(full.root)
    assert outbox.next_seq(db) == 402 and repair.is_sound(db)
    db.close()
    writer.close()


def test_only_the_newest_damaged_ones_are_kept(full):
    for _ in range(5):
        repair.rebuild(full)
    found = {path.name.rpartition("damaged-")[2][0] for path in full.root.glob(f"{repair.ASIDE}*")}
    assert found == {"3", "4", "5"}


def test_a_lost_database_does_not_give_the_numbers_of_clips_again(folders, hand_clock):
    for name in ("gate-0b007001-000008.mp4", "gate-0b007001-000009.mp4.part", "holiday.mp4"):
        path = folders.clips / "000000" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (folders.clips / "000001").mkdir()
    go_behind_the_card(folders, hand_clock)
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
