"""The one judge of damage: a spoiled row is set aside where it lies; what is worse is mended; nothing is judged for
ever.
"""
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.evidence.ledger.row import decode
from agent.host.datagram import Outlet
from agent.keeper import damage, repair
from agent.keeper.main import Keeper, Repaired
from agent.keeper.repair import open_own
from agent.store import clips, events, holds, ledger, meta, outbox
from agent.store import damage as store_damage
from agent.store.database import FILE, StoreConnection, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.numbers import noted
from tests.conftest import HandClock
from tests.rigs.store import cards
from tests.rigs.store.damage import spoil_row
from tests.rigs.store.joined import join
from tests.sim.parts import make_keeper

NO_TEXT, FAR = "CAST(X'FFFE41' AS TEXT)", str(1 << 60)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has met nothing yet."""
    monkeypatch.setattr(store_damage, "DOUBT", store_damage.Doubt())
    monkeypatch.setattr("agent.keeper.main.DOUBT", store_damage.DOUBT)


@pytest.fixture
def start(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Callable[[], Keeper]]:
    """Starts a keeper as its role does."""
    made: list[Keeper] = []

    def begin() -> Keeper:
        open_own(folders)[0].close()
        db, aside = repair.open_database(folders)
        made.append(make_keeper(db, folders, hand_clock, Outlet(tmp_path), tmp_path))
        made[-1].repaired = Repaired(aside, hand_clock.now().mono_ms) if aside else None
        return made[-1]

    yield begin
    for keeper in made:
        keeper.db.close()
        keeper.own.close()


@pytest.fixture
def lived(folders: Folders, hand_clock: HandClock) -> Folders:
    """A store with a few rows of the common tables, closed."""
    with contextlib.closing(join(connect(folders.root))) as db:
        for number in range(6):
            cards.film(db, folders, hand_clock, b"%d" % number)
            events.open_row(db, "gate", "motion", hand_clock.now())
            outbox.append(db, "motion", "gate", hand_clock.now(), f'{{"event":{number}}}')
    return folders


def rounds(keeper: Keeper, count: int = 3) -> None:
    for _ in range(count):
        keeper.round(asked_for_space=True)
        keeper.role.clock.advance(10)


def told(db: StoreConnection) -> list[str]:
    """What the ward is told of the database."""
    said = [json.loads(row["data"]) for row in outbox.after(db, 0, 1000) if row["kind"] == "storage"]
    return [each["detail"] for each in said if each["code"] == repair.CODE]


def aside(folders: Folders) -> list[list]:
    """The rows that were set aside: table, flaw and content of each."""
    return [json.loads(line) for line in (folders.keys / damage.ASIDE).read_text().splitlines()]


def replaced(folders: Folders) -> bool:
    return bool(list(folders.root.glob(f"{repair.ASIDE}*")))


def test_a_spoiled_row_is_set_aside_while_the_database_stays_told_and_kept(start, lived):
    spoil_row(lived, "clip", "codec", NO_TEXT)
    keeper = start()
    writer = connect(lived.root)
    rounds(keeper)
    assert keeper.fault is None and not replaced(lived) and not writer.replaced()
    (table, flaw, row), = aside(lived)
    assert (table, row["seq"], bytes.fromhex(row["codec"])) == ("clip", 6, b"\xff\xfeA") and "codec" not in flaw
    assert told(keeper.db) == ["spoiled rows: clip 1"]
    assert keeper.facts().database_aside == f"{damage.ASIDE}: clip 1"
    assert "mend" in [row.kind for row in map(decode, (line.doc for line in ledger.lines(keeper.db)))]
    writer.close()


def test_the_parts_of_a_round_go_on_beside_a_row_that_is_in_the_way_of_one(start, lived):
    with contextlib.closing(connect(lived.root)) as db:
        db.execute("INSERT INTO act (kind, boot, mono_ms, wall_ms, clock, body) VALUES ('x', 'b', ?, 1, 'ntp', '{}')",
                   (1 << 60,))
    keeper = start()
    keeper.round(asked_for_space=False)
    assert keeper.fault and keeper.recovered        # it can't be signed; its neighbours in the round are done with
    assert all(clip.sha256 for clip in clips.finished(keeper.db)) and noted(lived.root)
    rounds(keeper)
    assert keeper.fault is None and [row[0] for row in aside(lived)] == ["act"]
    assert keeper.evidence.ledger_writer.head.n > 6 and "act_missing" in cards.codes(lived)


def test_a_message_that_nobody_can_read_leaves_a_gap_that_is_named(start, lived):
    spoil_row(lived, "outbox", "data", "'{'", 2)
    keeper = start()
    keeper.examine()
    gaps = [json.loads(row["data"]) for row in outbox.after(keeper.db, 0, 100) if row["kind"] == "gap"]
    assert gaps == [{"code": "not_kept", "missing": [[3, 3]], "n": 1}]
    assert [row["seq"] for row in outbox.after(keeper.db, 0, 5)] == [1, 2, 4, 5, 6]


def test_the_file_of_a_clip_whose_row_is_spoiled_stays_and_is_held_no_less(start, lived, hand_clock):
    with contextlib.closing(connect(lived.root)) as db, contextlib.closing(decisions.connect(lived)) as own:
        holds.place(own, db, clips.finished(db)[:1], "police", None, hand_clock.now(), 1 << 40)
        name = clips.finished(db)[0].name
    spoil_row(lived, "clip", "bytes", FAR)
    keeper = start()
    rounds(keeper)
    assert keeper.fault is None and lived.clip(6, name).exists()
    assert keeper.db.execute("PRAGMA foreign_key_check").fetchall() == [] and holds.names(keeper.own) == {name}


def test_an_index_that_does_not_fit_its_table_is_mended_though_the_quick_check_calls_it_sound(start, lived):
    """As where one block of it is from last week: SQLite finds that only when it looks for a row."""
    with contextlib.closing(sqlite3.connect(lived.root / FILE, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        was = db.execute("DELETE FROM sqlite_schema WHERE name = 'event_by_start' RETURNING *").fetchall()
    with contextlib.closing(sqlite3.connect(lived.root / FILE, isolation_level=None)) as db:
        db.execute("UPDATE event SET mono_ms = 7 WHERE id = 3")         # the index still has it where it was
        db.execute("PRAGMA writable_schema = ON")
        db.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", was)
    keeper = start()
    assert repair.is_sound(keeper.db) and not repair.is_sound(keeper.db, "integrity_check")
    keeper.examine()
    assert keeper.repaired and replaced(lived) and repair.is_sound(keeper.db, "integrity_check")
    assert [event.id for event in events.latest(keeper.db) if event.mono_ms == 7] == [3]


def test_more_spoiled_rows_than_a_few_are_left_behind_with_the_whole_file(start, folders, hand_clock):
    with contextlib.closing(join(connect(folders.root))) as db, transaction(db):
        for _ in range(damage.ROWS_MAX + 50):
            events.open_row(db, "gate", "motion", hand_clock.now())
        cards.film(db, folders, hand_clock, b"film")
        db.execute("UPDATE event SET wall_ms = ? WHERE id <= ?", (1 << 60, damage.ROWS_MAX + 1))
    keeper = start()
    keeper.examine()
    assert keeper.repaired and replaced(folders) and not (folders.keys / damage.ASIDE).exists()
    assert len(events.latest(keeper.db, limit=1000)) == 49 and len(clips.finished(keeper.db)) == 1


def test_a_row_that_its_keys_do_not_lead_to_is_left_behind_with_the_whole_file(start, lived):
    """Its key itself is spoiled, and lies where nobody looks for it."""
    with contextlib.closing(connect(lived.root)) as db:
        db.executemany("INSERT INTO anchor (boot, from_mono_ms, offset_ms, clock) VALUES (?, 0, 1, 'ntp')",
                       ((f"boot{number}",) for number in range(9)))
    data = (lived.root / FILE).read_bytes()
    (lived.root / FILE).write_bytes(data.replace(b"boot3", b"\xfeoot3"))
    keeper = start()
    keeper.examine()
    assert keeper.repaired and replaced(lived)
    assert {row["boot"] for row in keeper.db.execute("SELECT boot FROM anchor")} == {
        f"boot{number}" for number in range(9) if number != 3}


def test_what_was_set_aside_is_bounded_and_the_newest_stays(start, lived, monkeypatch):
    monkeypatch.setattr(damage, "ASIDE_B_MAX", 1000)
    for _ in range(4):
        with contextlib.closing(connect(lived.root)) as db, transaction(db):
            outbox.append(db, "motion", "gate", HandClock().now(), "{" + "x" * 400)
            last = outbox.next_seq(db) - 1
        start().examine()
    *_, newest = (lived.keys / damage.ASIDE).read_text().splitlines()
    assert (lived.keys / damage.ASIDE).stat().st_size == 1000 and json.loads(newest)[2]["seq"] == last


def looked(looks: list[str]) -> Callable[..., bool]:
    """Finds every database sound, and notes the looks at the shared one."""
    def is_sound(db: StoreConnection, check: str = "quick_check") -> bool:
        if db.path.name == FILE.rpartition("/")[2]:
            looks.append(check)
        return True
    return is_sound


def test_errors_without_damage_lead_to_ever_fewer_looks_and_are_named(start, lived, hand_clock, monkeypatch):
    looks = []
    monkeypatch.setattr(repair, "is_sound", looked(looks))
    keeper = start()
    looks.clear()
    for _ in range(24 * 360):                       # a day of errors, at each of its rounds
        keeper.examine()
        hand_clock.advance(10)
    quick_n = looks.count("quick_check")
    assert 20 < quick_n < 40 and keeper.facts().database_unclear and not keeper.repaired
    hand_clock.advance(3 * damage.LONGEST_WAIT_S)
    keeper.round(asked_for_space=False)
    assert not keeper.facts().database_unclear
    keeper.examine()
    assert looks.count("quick_check") == quick_n + 1 and not keeper.facts().database_unclear


def test_an_error_that_may_be_anything_is_looked_into_when_it_comes_again(start, lived, monkeypatch):
    keeper, looks = start(), []
    keeper.round(asked_for_space=False)
    monkeypatch.setattr(repair, "is_sound", looked(looks))
    monkeypatch.setattr("agent.keeper.pause_words.tell", lambda *_: int("no number"))
    keeper.round(asked_for_space=False)
    assert "no number" in keeper.fault and not looks
    keeper.round(asked_for_space=False)
    assert looks


def test_a_spoiled_row_of_the_keepers_own_is_left_behind_when_it_starts_anew(start, lived):
    keeper = start()
    keeper.own.execute("INSERT INTO condemned VALUES (CAST(X'FF' AS TEXT), 'age')")
    keeper.own.execute("INSERT INTO condemned VALUES ('gate-0b007001-000001', 'age')")
    keeper.examine()
    assert keeper.role.stop.is_set()
    again = start()
    assert [row["clip"] for row in again.own.execute("SELECT clip FROM condemned")] == ["gate-0b007001-000001"]
    assert (lived.keys / f"{decisions.FILE}.damaged").exists()
    rounds(again)
    assert again.fault is None


def test_before_the_clock_of_earlier_lives_is_recalled_nothing_goes_by_its_age(start, lived, hand_clock):
    with contextlib.closing(connect(lived.root)) as db:
        meta.put(db, "clock_distrusted", "0b007001 soon 5")      # what it says is no number
    keeper = start()
    hand_clock.advance(40 * 24 * 3600)
    keeper.round(asked_for_space=True)
    assert keeper.fault and not keeper.timekeeper.may_delete(hand_clock.now()) and len(clips.finished(keeper.db)) == 6


def test_which_errors_are_damage_and_which_may_be(db, folders):
    def met(query: str) -> sqlite3.Error:
        with pytest.raises(sqlite3.Error) as caught:
            db.execute(query).fetchall()
        return caught.value

    undecoded = met("SELECT CAST(X'FF' AS TEXT)")
    assert store_damage.is_damage(undecoded) and store_damage.may_be_damage(undecoded)
    for query in ("SELECT * FROM gone", "SELECT json_extract('{', '$')", "SELECT SUM(n) FROM (SELECT 1 << 62 AS n "
                  "UNION ALL SELECT 1 << 62)", "INSERT INTO boot (id) VALUES (NULL)"):
        error = met(query)
        assert store_damage.may_be_damage(error) and not store_damage.is_damage(error), query
    with contextlib.closing(connect(folders.root, busy_s=0.01)) as other, transaction(other):
        busy = met("BEGIN IMMEDIATE")
    for harmless in (busy, OSError(28, "full"), sqlite3.OperationalError("Cannot operate"), KeyboardInterrupt()):
        assert not store_damage.may_be_damage(harmless), harmless


def test_a_row_that_is_put_right_or_gone_by_the_time_it_is_to_go_is_left_alone(start, lived, monkeypatch):
    """The link puts messages aside by itself, and any role may write its row anew."""
    with contextlib.closing(connect(lived.root)) as db:
        db.execute("UPDATE outbox SET data = '{' WHERE seq < 4")
    keeper, keep = start(), damage.write_durably

    def meanwhile(*given: object) -> None:
        with contextlib.closing(connect(lived.root)) as db:
            db.execute("UPDATE outbox SET data = '{}' WHERE seq = 1")
            outbox.quarantine(db, 2, "undecodable")
        keep(*given)

    monkeypatch.setattr(damage, "write_durably", meanwhile)
    keeper.examine()
    assert not replaced(lived) and [row["seq"] for row in outbox.after(keeper.db, 0, 4)] == [1, 4, 5, 6]


STRANGE = ("CREATE TRIGGER boom AFTER INSERT ON clip BEGIN DELETE FROM clip; END", "CREATE VIEW sight AS SELECT 1",
           "CREATE TABLE \"odd \"\"one\" (x UNIQUE, y REFERENCES clip (seq))", "CREATE INDEX slow ON clip (hex(name))",
           "DROP INDEX clip_by_state", "CREATE INDEX clip_by_state ON clip (hex(camera))")
TOLD = ["index clip_by_state", "index slow", "table odd \"one", "trigger boom", "view sight"]


def parts(folders: Folders) -> set[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        return set(db.execute("SELECT type, name, sql FROM sqlite_schema"))


def laid(folders: Folders, statements: tuple[str, ...] = STRANGE) -> set[tuple[str, ...]]:
    """What is in the schema, before strangers are laid in."""
    before = parts(folders)
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as other:
        other.executescript(";".join(statements))
    assert parts(folders) != before
    return before


@pytest.mark.parametrize("met", ["at the start", "by another role"])
def test_what_is_not_of_our_schema_goes_and_is_told(start, lived, hand_clock, met):
    if met == "at the start":
        before, keeper = laid(lived), start()
    else:
        keeper, before = start(), laid(lived)
        keeper.examine()
    assert parts(lived) == before and keeper.facts().database_aside == f"schema: {', '.join(TOLD)}"
    for _ in range(2):
        hand_clock.advance(60)
        keeper.round(asked_for_space=False)
    assert keeper.fault is None and [clip.state for clip in clips.finished(keeper.db)] == ["done"] * len(
        clips.finished(keeper.db))
    mend, = (row.body for line in ledger.lines(keeper.db) if (row := decode(line.doc)) and row.kind == "mend")
    assert mend["torn"] == TOLD
    codes = [json.loads(row["data"])["code"] for row in outbox.after(keeper.db, 0, 100) if row["kind"] == "storage"]
    assert codes == [repair.CODE]


def test_a_newer_version_s_tables_and_indexes_stay(start, lived):
    with contextlib.closing(sqlite3.connect(lived.root / FILE)) as db:
        db.execute("PRAGMA user_version = 999")
    laid(lived)
    keeper = start()
    assert keeper.facts().database_aside == "schema: trigger boom, view sight"
    assert {"slow", "odd \"one"} <= {name for _, name, _ in parts(lived)}


def test_a_part_of_the_schema_that_can_not_be_dropped_is_left_behind_by_a_repair(start, lived):
    with contextlib.closing(sqlite3.connect(lived.root / FILE)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_schema VALUES ('table', 'odd', 'odd', 0, "
                   "'CREATE VIRTUAL TABLE odd USING nobody_knows')")
        db.commit()
    keeper = start()
    keeper.round(asked_for_space=False)
    assert keeper.fault is None and keeper.facts().database_aside == "taimat.db.damaged-1"
    assert "odd" not in {name for _, name, _ in parts(lived)} and clips.finished(keeper.db)
