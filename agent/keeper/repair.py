"""The keeper's care for the database: which one to go on with when the one that is open is damaged or replaced."""
import contextlib
import logging
import os
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.evidence.ledger import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.keeper import damaged_copy
from agent.keeper.canary import Canary
from agent.keeper.renewal import Unsound, renew
from agent.keeper.salvage import Patience, Salvage
from agent.keeper.succession import let_wait, remove, take_place
from agent.store import announce, ledger, meta
from agent.store.damage import may_be_damage
from agent.store.database import (
    FILE,
    Replaced,
    StoreConnection,
    StoreError,
    connect,
    current,
    is_held,
    require_itself,
    transaction,
)
from agent.store.folders import HOUSEHOLD, Folders
from agent.store.numbers import BEHIND, LEAP, Note, noted
from agent.store.row_check import forms_of
from agent.store.schema import SCHEMA, TABLES

# Worked on where the keeper alone writes: in the database's own folder another role could lay a link in the way.
NEW, COPY = (f"{HOUSEHOLD}/taimat.db.{ending}" for ending in ("new", "copy"))
ASIDE = FILE + ".damaged-"          # and a number
ASIDE_MAX = 3                       # older ones make room
CODE = "database_damaged"
GONE = FILE.rpartition("/")[2]       # of a lost one there is nothing that could be set aside
TOLD_MAX, NAME_MAX = 8, 60          # of what is not ours in a schema
NOTE = "mended.json"                # in the keeper's folder: what is to be told of it

_log = logging.getLogger(__name__)


def open_database(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """The store's database, and the name under which a damaged one was set aside for it, or `GONE` for a lost one.

    `patience` is called now and then while a repair lasts. Raises StoreError, OSError and sqlite3.Error.
    """
    finish(folders)
    _clear_place(folders)
    for _ in range(2):                  # a block that can't be read may be read the next time
        try:
            db, aside = _compared(connect(folders.root), folders)
            return db, cleared(db, folders) or aside
        except StoreError as error:
            if not may_be_damage(error):
                raise
    return mended(folders, patience)


def successor(db: StoreConnection, folders: Folders, error: Exception,
              patience: Patience = lambda: None) -> tuple[StoreConnection, str | None] | None:
    """The database to go on with after `error`, as `open_database` gives it; None: the one that is open.

    Raises StoreError, OSError and sqlite3.Error.
    """
    if db.distrusted():
        return _renewed(db, folders, patience)
    if not isinstance(error, Replaced):
        return None
    _clear_place(folders)
    return _compared(current(db), folders)


def _compared(db: StoreConnection, folders: Folders) -> tuple[StoreConnection, str | None]:
    """Whether the page tells of a ledger, and this database has none: it is a new one in a lost one's place."""
    known = noted(folders.root)
    if known is None or not known.ledger_n or ledger.head(db).n or (folders.keys / NOTE).exists():
        return db, None
    _log.error("%s was gone: a new one is in its place, and goes on behind its numbers", db.path)
    _note(db, folders, ("all",))
    return db, GONE


def cleared(db: StoreConnection, folders: Folders) -> str | None:
    """Drop what no version of ours has put into the schema, and make our indexes anew; returns what that was.

    A newer version may have tables and indexes of its own, but neither triggers nor views. Raises StoreError.
    """
    try:
        with contextlib.closing(sqlite3.connect(":memory:")) as model:
            model.executescript(TABLES)
            found, ours = _schema(db), _schema(model)
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            ours = {part for part in found if part[0] in ("table", "index")}
        wrong, missing = found - ours, {part for part in ours - found if part[0] == "index"}
        if db.read_only or db.distrusted() or not wrong | missing:
            return None
        told = sorted({" ".join(part[:2])[:NAME_MAX] for part in wrong | missing})[:TOLD_MAX]
        db.execute("PRAGMA foreign_keys = OFF")     # no table of somebody else's is to hinder
        with transaction(db):
            for kind, name, _ in wrong:
                db.execute('DROP {} IF EXISTS "{}"'.format(kind, name.replace('"', '""')))
            for _, _, sql in missing:
                db.execute(sql)
            _note(db, folders, told)
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        if is_held(error):
            return None
        db.close()
        raise StoreError(f"{db.path}: {error}") from error
    _log.error("%s: its schema was not ours, and is again: %s", db.path, ", ".join(told))
    return f"schema: {', '.join(told)}"


def _schema(db: sqlite3.Connection) -> set[tuple[str, str, str]]:
    # Without the words of a table: an older version may have had others.
    return set(map(tuple, db.execute("SELECT type, name, iif(type = 'table', '', sql) FROM sqlite_schema "
                                     "WHERE sql IS NOT NULL")))


def _clear_place(folders: Folders) -> None:
    """Whatever lies in the database's place and is no file was put there by another role, and goes. Raises OSError."""
    path = folders.root / FILE
    if path.is_symlink() or (os.path.lexists(path) and not path.is_file()):
        _log.error("%s was not a file, and is made anew: somebody has put it there", path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _renewed(db: StoreConnection, folders: Folders, patience: Patience) -> tuple[StoreConnection, str | None]:
    try:
        renew(folders.root / FILE, folders.root / NEW, patience)
    except Unsound:
        made = mended(folders, patience)
        db.close()
        return made
    return current(db), None


def mended(folders: Folders, patience: Patience) -> tuple[StoreConnection, str]:
    """A new database in the damaged one's place, and the name under which that was set aside. Raises as `mend`."""
    done = mend(folders, patience)
    return connect(folders.root), done.aside.name


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of the damaged file, and of what was in it."""

    aside: Path
    rows_n: int
    torn: tuple[str, ...]           # tables of which something could not be read


def is_sound(db: sqlite3.Connection, check: str = "quick_check") -> bool:
    """Whether the whole file is as SQLite wrote it; reads all of it, and compares indexes too for "integrity_check".

    Raises sqlite3.Error where it can't be looked at now.
    """
    try:
        return db.execute(f"PRAGMA {check}(1)").fetchone()[0] == "ok"
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not may_be_damage(error):
            raise
        return False


def mend(folders: Folders, patience: Patience = lambda: None) -> Mended:
    """Put a new database in the damaged one's place. Raises OSError, sqlite3.Error and StoreError; may be repeated."""
    for left_over in (NEW, COPY):
        remove(folders.root / left_over)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(contextlib.closing(_opened(folders.root / FILE)))
        new = stack.enter_context(contextlib.closing(connect(folders.root, file=NEW)))
        rows_n, torn = _fill(new, old, folders, patience)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.close()
        let_wait(folders.root / NEW, folders.root / FILE)
        aside = finish(folders)             # while the old one's lock is ours: nobody commits into it any more
    assert aside is not None
    _log.error("%s was damaged; %d rows of it go on, it was set aside as %s; not whole: %s",
               folders.root / FILE, rows_n, aside.name, ", ".join(torn) or "none")
    return Mended(aside, rows_n, torn)


def finish(folders: Folders) -> Path | None:
    """Let a mended database that waits take its place; returns where the old one went, None where nothing waits.

    While it waits nobody opens any, so for a moment there may be none. Raises OSError.
    """
    number = _newest(folders)               # after a cut the old one may have gone there already
    aside = folders.root / f"{ASIDE}{number + 1 if (folders.root / FILE).exists() or not number else number}"
    if not take_place(folders.root / FILE, aside):
        return None
    remove(folders.root / COPY)             # a cut's
    for number in range(1, _newest(folders) - ASIDE_MAX + 1):
        remove(folders.root / f"{ASIDE}{number}")
    return aside


def tell(db: sqlite3.Connection, page: Canary, now: Instant) -> None:
    """If the database has been mended and nobody knows: the ward and the ledger are to, and the page is to tell of it.

    Raises OSError and sqlite3.Error. After a cut it may be told twice.
    """
    note = page.folders.keys / NOTE
    if not note.exists():
        return
    with contextlib.suppress(msgspec.DecodeError), transaction(db):
        mended = msgspec.json.decode(note.read_bytes(), type=DatabaseMended)
        announce.storage(db, now, CODE, over=True, detail=f"not whole: {', '.join(mended.torn) or 'none'}")
        ledger.note(db, now, mended)
        meta.take(db, BEHIND)               # no fault of the card's
    page.note(db, now)
    note.unlink()


def _note(new: sqlite3.Connection, folders: Folders, torn: Sequence[str]) -> None:
    """Keep what is to be told, where the keeper alone writes: a role might say the same of a database that is whole."""
    known, head = noted(folders.root), ledger.head(new)
    folders.keys.mkdir(mode=0o700, exist_ok=True)
    write_durably(folders.keys / NOTE, msgspec.json.encode(DatabaseMended(
        ledger_n=head.n, before_n=known.ledger_n if known else None,
        before=known.ledger_head or None if known else None, torn=list(torn))), mode=0o600)


def _opened(path: Path) -> sqlite3.Connection:
    """The damaged one, with its writers' lock if it is still good for that."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    require_itself(db, path)
    with contextlib.suppress(sqlite3.DatabaseError):
        db.execute("BEGIN IMMEDIATE")
    return db


def _fill(new: StoreConnection, old: sqlite3.Connection, folders: Folders,
          patience: Patience) -> tuple[int, tuple[str, ...]]:
    """Put into `new` what can be had of the damaged one, which `old` holds locked.

    Returns how many rows that are, and which tables are not whole. Rows may refer to clips that have none: the sweep
    finds their files, or removes the rows.
    """
    new.execute("PRAGMA foreign_keys = OFF")
    begun_at = _counters(new)
    with contextlib.ExitStack() as stack:
        copied = _copied(new, folders, stack)
        stack.enter_context(transaction(new))
        salvage = Salvage(new, forms_of(), patience)
        if copied is not None:
            salvage.by_tool(folders.root / COPY)
        torn = salvage.by_reading(copied or old)
        _put_counters(new, begun_at, salvage.counters, noted(folders.root))
        # What is in the ledger waits no more, though a page that was given free may still have had it.
        new.execute("DELETE FROM act WHERE id <= ?", (ledger.last_act_n(new),))
        _note(new, folders, torn)
    return salvage.rows_n, torn


def _copied(new: StoreConnection, folders: Folders, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """A connection to a copy with its schema put right; None where there is no room for one."""
    stack.callback(remove, folders.root / COPY)
    try:
        damaged_copy.copy(folders.root / FILE, folders.root / COPY)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = {row["name"]: row["rootpage"] for row in new.execute(
            "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")}
        damaged_copy.restore_schema(folders.root / COPY, new.path, roots)
        return stack.enter_context(contextlib.closing(sqlite3.connect(folders.root / COPY, isolation_level=None)))
    except (OSError, subprocess.SubprocessError) as error:
        _log.error("the damaged database can't be copied (%s): it is read as it is", error)
        return None


def _counters(new: sqlite3.Connection) -> dict[str, int]:
    return dict(new.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def _put_counters(new: sqlite3.Connection, begun_at: dict[str, int], known: dict[str, int], page: Note | None) -> None:
    """No number is given twice; `known` are the old database's counters as far as they were found."""
    for table in _counted(new):
        number = next(row["name"] for row in new.execute(f"PRAGMA table_info({table})") if row["pk"])
        counter = max(begun_at.get(table, 0), known.get(table, 0))
        if table in known:                  # whatever has a higher number is damage that looks like a row
            new.execute(f"DELETE FROM {table} WHERE {number} > ?", (counter,))
        reached = new.execute(f"SELECT COALESCE(MAX({number}), 0) FROM {table}").fetchone()[0]
        noted_n = page.given(table) if page else 0
        if table == "act" and table not in known:       # counted without a gap: what is missing shows in the ledger
            counter = ledger.last_act_n(new) or (noted_n and noted_n + LEAP[table])
        elif table not in {*known, *begun_at}:          # numbers that the ward has seen must not come again
            counter = max(reached, noted_n) + LEAP.get(table, 0)
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(counter, reached)))


def _counted(new: sqlite3.Connection) -> list[str]:
    """Those that never give a number twice."""
    return [row["name"] for row in new.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")]


def _newest(folders: Folders) -> int:
    """The number of the newest one that was set aside; 0: none was."""
    numbers = (str(path.relative_to(folders.root)).removeprefix(ASIDE) for path in folders.root.glob(f"{ASIDE}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
