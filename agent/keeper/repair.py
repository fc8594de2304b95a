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

from agent.core.evidence.ledger import DatabaseMended, decode
from agent.host.clock import Instant
from agent.host.files import is_own, open_plain, rename_durably, sync_folder, write_durably
from agent.keeper import canary, damaged_copy
from agent.keeper.salvage import Patience, Salvage
from agent.store import announce, ledger
from agent.store.database import (
    FILE,
    MENDED,
    Replaced,
    StoreConnection,
    StoreError,
    connect,
    current,
    demand_itself,
    is_damage,
    transaction,
)
from agent.store.folders import HOUSEHOLD, Folders

# Worked on where the keeper alone writes: in the database's own folder another role could lay a link in the way.
NEW, COPY = (f"{HOUSEHOLD}/taimat.db.{ending}" for ending in ("new", "copy"))
ASIDE = FILE + ".damaged-"          # and a number
ASIDE_MAX = 3                       # older ones make room
CODE = "database_damaged"
NOTE = "mended.json"                # in the keeper's folder: what is to be told of it
# A counter that can't be read goes on from here beyond the last number that can: numbers that the ward has seen must
# not come again. Acts are counted without a gap, and whatever is missing of them shows in the ledger.
LEAP = {"outbox": 1_000_000, "event": 1_000_000}
_SIDE = ("-wal", "-shm")

_log = logging.getLogger(__name__)


def open_database(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """The store's database, and the name under which a damaged one was set aside for it, if one was.

    `patience` is called now and then while a repair lasts. Raises StoreError, OSError and sqlite3.Error.
    """
    finish(folders)
    _clear_place(folders)
    try:
        return connect(folders.root), None
    except StoreError as error:
        if not is_damage(error):
            raise
    return _mended(folders, patience)


def successor(db: StoreConnection, folders: Folders, error: Exception,
              patience: Patience = lambda: None) -> tuple[StoreConnection, str | None] | None:
    """The database to go on with after `error`, as `open_database` gives it; None: the one that is open.

    Raises StoreError, OSError and sqlite3.Error.
    """
    if is_damage(error):
        made = _mended(folders, patience)
        db.close()
        return made
    if not isinstance(error, Replaced):
        return None
    _clear_place(folders)
    return current(db), None


def _clear_place(folders: Folders) -> None:
    """Whatever lies in the database's place and is no file was put there by another role, and goes. Raises OSError."""
    path = folders.root / FILE
    if path.is_symlink() or (os.path.lexists(path) and not path.is_file()):
        _log.error("%s was not a file, and is made anew: somebody has put it there", path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def examined(db: StoreConnection, folders: Folders,
             patience: Patience = lambda: None) -> tuple[StoreConnection, str | None] | None:
    """Likewise after somebody else has met damage: all of the database is looked at."""
    if is_sound(db):
        return None
    made = _mended(folders, patience)
    db.close()
    return made


def _mended(folders: Folders, patience: Patience) -> tuple[StoreConnection, str]:
    done = mend(folders, patience)
    return connect(folders.root), done.aside.name


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


def mend(folders: Folders, patience: Patience = lambda: None) -> Mended:
    """Put a new database in the damaged one's place. Raises OSError, sqlite3.Error and StoreError; may be repeated."""
    for left_over in (NEW, COPY):
        _remove(folders.root / left_over)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(contextlib.closing(_opened(folders.root / FILE)))
        new = stack.enter_context(contextlib.closing(connect(folders.root, file=NEW)))
        rows_n, torn = _fill(new, old, folders, patience)
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
    if not is_own(mended):
        return None
    aside = folders.root / f"{ASIDE}{_newest(folders) + 1}"
    for side in _SIDE:                      # before the database: they would be taken for the new one's
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{aside}{side}")
    with contextlib.suppress(FileNotFoundError):
        os.link(path, aside)
    canary.forget(folders)
    os.rename(mended, path)
    sync_folder(path.parent)
    _remove(folders.root / COPY)            # a cut's
    for number in range(1, _newest(folders) - ASIDE_MAX + 1):
        _remove(folders.root / f"{ASIDE}{number}")
    return aside


def tell(db: sqlite3.Connection, folders: Folders, now: Instant) -> None:
    """If the database has been mended and nobody knows: the ward and the ledger are to.

    Raises OSError and sqlite3.Error. After a cut it may be told twice.
    """
    note = folders.keys / NOTE
    if not note.exists():
        return
    with contextlib.suppress(msgspec.DecodeError), transaction(db):
        mended = msgspec.json.decode(note.read_bytes(), type=DatabaseMended)
        announce.storage(db, now, CODE, over=True, detail=f"not whole: {', '.join(mended.torn) or 'none'}")
        ledger.note(db, now, mended)
    note.unlink()


def _note(new: sqlite3.Connection, folders: Folders, torn: Sequence[str]) -> None:
    """Keep what is to be told, where the keeper alone writes: a role might say the same of a database that is whole."""
    known, head = canary.last_note(folders), ledger.head(new)
    folders.keys.mkdir(mode=0o700, exist_ok=True)
    write_durably(folders.keys / NOTE, msgspec.json.encode(DatabaseMended(
        ledger_n=head.n, before_n=known.ledger_n if known else None,
        before=known.ledger_head or None if known else None, torn=list(torn))), mode=0o600)


def _opened(path: Path) -> sqlite3.Connection:
    """The damaged one, with its writers' lock if it is still good for that."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    demand_itself(db, path)
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
        salvage = Salvage(new, patience)
        if copied is not None:
            salvage.by_tool(folders.root / COPY)
        torn = salvage.by_reading(copied or old)
        _put_counters(new, begun_at, salvage.counters)
        # What is in the ledger waits no more, though a page that was given free may still have had it.
        new.execute("DELETE FROM act WHERE id <= ?", (_signed_acts_n(new),))
        _note(new, folders, torn)
    return salvage.rows_n, torn


def _copied(new: StoreConnection, folders: Folders, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """A connection to a copy with its schema put right; None where there is no room for one."""
    stack.callback(_remove, folders.root / COPY)
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


def _signed_acts_n(new: sqlite3.Connection) -> int:
    """The number of the last act that was signed."""
    rows = (decode(line.doc) for line in ledger.lines_back(new))
    return next((row.act_n for row in rows if row is not None and row.act_n), 0)


def _counters(new: sqlite3.Connection) -> dict[str, int]:
    return dict(new.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def _put_counters(new: sqlite3.Connection, begun_at: dict[str, int], known: dict[str, int]) -> None:
    """No number is given twice; `known` are the old database's counters as far as they were found."""
    for table in _counted(new):
        number = next(row["name"] for row in new.execute(f"PRAGMA table_info({table})") if row["pk"])
        counter = max(begun_at.get(table, 0), known.get(table, 0))
        if table in known:                  # whatever has a higher number is damage that looks like a row
            new.execute(f"DELETE FROM {table} WHERE {number} > ?", (counter,))
        reached = new.execute(f"SELECT COALESCE(MAX({number}), 0) FROM {table}").fetchone()[0]
        if table not in known:
            counter = max(counter, _signed_acts_n(new) if table == "act" else reached + LEAP.get(table, 0))
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(counter, reached)))


def _counted(new: sqlite3.Connection) -> list[str]:
    """Those that never give a number twice."""
    return [row["name"] for row in new.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")]


def _newest(folders: Folders) -> int:
    """The number of the newest one that was set aside; 0: none was."""
    numbers = (str(path.relative_to(folders.root)).removeprefix(ASIDE) for path in folders.root.glob(f"{ASIDE}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _flush(path: Path) -> None:
    handle = open_plain(path)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for name in (path, *(Path(f"{path}{side}") for side in _SIDE)):
        name.unlink(missing_ok=True)
