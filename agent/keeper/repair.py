"""The keeper's care for the database: which one to go on with when the one that is open is damaged or replaced."""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.host.clock import Instant
from agent.host.files import rename_durably, sync_folder
from agent.store import announce
from agent.store.database import (
    FILE,
    MENDED,
    Replaced,
    StoreConnection,
    StoreError,
    connect,
    current,
    is_damage,
    transaction,
)
from agent.store.folders import Folders

NEW = FILE + ".new"
ASIDE = FILE + ".damaged-"          # and a number
ASIDE_MAX = 3                       # older ones make room
CODE = "database_damaged"
# A counter that can't be read goes on from here beyond the last number that can: numbers that the ward has seen must
# not come again. Acts are counted without a gap, and whatever is missing of them shows in the ledger.
LEAP = {"outbox": 1_000_000, "event": 1_000_000}
_SIDE = ("-wal", "-shm")

_log = logging.getLogger(__name__)


def open_database(folders: Folders, now: Instant) -> tuple[StoreConnection, str | None]:
    """The store's database, and the name under which a damaged one was set aside for it, if one was.

    Raises StoreError, OSError and sqlite3.Error.
    """
    finish(folders)
    try:
        return connect(folders.root), None
    except StoreError as error:
        if not is_damage(error):
            raise
    return _mended(folders, now)


def successor(db: StoreConnection, folders: Folders, now: Instant,
              error: Exception) -> tuple[StoreConnection, str | None] | None:
    """The database to go on with after `error`, as `open_database` gives it; None: the one that is open.

    Raises StoreError, OSError and sqlite3.Error.
    """
    if is_damage(error):
        made = _mended(folders, now)
        db.close()
        return made
    return (current(db), None) if isinstance(error, Replaced) else None


def examined(db: StoreConnection, folders: Folders, now: Instant) -> tuple[StoreConnection, str | None] | None:
    """Likewise after somebody else has met damage: all of the database is looked at."""
    if is_sound(db):
        return None
    made = _mended(folders, now)
    db.close()
    return made


def _mended(folders: Folders, now: Instant) -> tuple[StoreConnection, str]:
    done, db = mend(folders), connect(folders.root)
    tell(db, done, now)
    return db, done.aside.name


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of the damaged file, and of what was in it."""

    aside: Path
    rows_n: int
    torn: tuple[str, ...]           # tables of which something could not be read


def is_sound(db: sqlite3.Connection) -> bool:
    """Whether the whole file is as SQLite wrote it; reads all of it."""
    try:
        return db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        return False


def mend(folders: Folders) -> Mended:
    """Put a new database in the damaged one's place. Raises OSError, sqlite3.Error and StoreError; may be repeated."""
    _remove(folders.root / NEW)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(contextlib.closing(_opened(folders.root / FILE)))
        new = stack.enter_context(contextlib.closing(connect(folders.root, file=NEW)))
        rows_n, torn = _take_over(old, new)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.close()
        _flush(folders.root / NEW)
        rename_durably(folders.root / NEW, folders.root / MENDED)
        aside = finish(folders)             # while the old one's lock is ours: nobody commits into it any more
    assert aside is not None
    _log.error("%s was damaged; %d rows of it go on, it was set aside as %s; not whole: %s",
               folders.root / FILE, rows_n, aside.name, ", ".join(torn) or "none")
    return Mended(aside, rows_n, torn)


def finish(folders: Folders) -> Path | None:
    """Let a mended database that waits take its place; returns where the old one went, None where nothing waits.

    Raises OSError.
    """
    mended, path = folders.root / MENDED, folders.root / FILE
    if not mended.exists():
        return None
    aside = folders.root / f"{ASIDE}{_newest(folders) + 1}"
    for side in _SIDE:                      # before the database: they would be taken for the new one's
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{aside}{side}")
    with contextlib.suppress(FileNotFoundError):
        os.link(path, aside)
    os.rename(mended, path)
    sync_folder(path.parent)
    for number in range(1, _newest(folders) - ASIDE_MAX + 1):
        _remove(folders.root / f"{ASIDE}{number}")
    return aside


def tell(db: sqlite3.Connection, mended: Mended, now: Instant) -> None:
    """The ward is to know."""
    detail = f"set aside as {mended.aside.name}; not whole: {', '.join(mended.torn) or 'none'}"
    with transaction(db):
        announce.storage(db, now, CODE, over=True, detail=detail)


def _opened(path: Path) -> sqlite3.Connection:
    """The damaged one, with its writers' lock if it is still good for that."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    with contextlib.suppress(sqlite3.DatabaseError):
        db.execute("BEGIN IMMEDIATE")
    return db


def _take_over(old: sqlite3.Connection, new: sqlite3.Connection) -> tuple[int, tuple[str, ...]]:
    """Copy every table as far as it can be read; returns how many rows, and which tables are not whole."""
    rows_n, torn = 0, []
    new.execute("PRAGMA foreign_keys = OFF")
    with transaction(new):
        for table in _tables(new):
            taken_n, whole = _take_table(old, new, table)
            rows_n += taken_n
            torn += [] if whole else [table]
        _take_counters(old, new)
        for table, column, target, key in _references(new):
            new.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {target})")
    return rows_n, tuple(torn)


def _take_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """From the front as far as it goes, and if that is not the end, from the end as far as that goes."""
    shape = new.execute(f"PRAGMA table_info({table})").fetchall()
    known = _columns(old, table)
    if not known:
        return 0, False
    columns = [row["name"] for row in shape if row["name"] in known]
    key = [row["name"] for row in sorted(shape, key=lambda row: row["pk"]) if row["pk"]] or ["rowid"]
    put = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    taken_n, whole = 0, False
    for order in ("ASC", "DESC"):
        by = ", ".join(f"{column} {order}" for column in key)
        try:
            for row in old.execute(f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED ORDER BY {by}"):
                with contextlib.suppress(sqlite3.IntegrityError):       # damage that looks like a row
                    taken_n += new.execute(put, tuple(row)).rowcount
            whole = order == "ASC"
            break
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue
    return taken_n, whole


def _columns(old: sqlite3.Connection, table: str) -> set[str]:
    try:
        return {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return set()


def _take_counters(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    try:
        counters = dict(old.execute("SELECT name, seq FROM sqlite_sequence"))
    except sqlite3.DatabaseError:
        counters = {}
    for table in _counted(new):
        row = new.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        reached = row["seq"] if row else 0
        counter = counters.get(table)
        if not isinstance(counter, int):
            counter = reached + LEAP.get(table, 0)
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(counter, reached)))


def _tables(new: sqlite3.Connection) -> list[str]:
    """All but SQLite's own."""
    return [row["name"] for row in new.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]


def _counted(new: sqlite3.Connection) -> list[str]:
    """Those that never give a number twice."""
    return [row["name"] for row in new.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")]


def _references(new: sqlite3.Connection) -> Iterator[tuple[str, str, str, str]]:
    """Table, column, and what it refers to."""
    for table in _tables(new):
        for row in new.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            yield table, row["from"], row["table"], row["to"]


def _newest(folders: Folders) -> int:
    """The number of the newest one that was set aside; 0: none was."""
    numbers = (str(path.relative_to(folders.root)).removeprefix(ASIDE) for path in folders.root.glob(f"{ASIDE}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for name in (path, *(Path(f"{path}{side}") for side in _SIDE)):
        name.unlink(missing_ok=True)
