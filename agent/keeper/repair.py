"""The keeper's repair of its two databases: rebuilds a damaged one from its rows, and finds the one to continue with.

The shared database is rebuilt while its lock is held. The keeper's own, with the household's decisions, is replaced
only at a start, because then nothing works on it.
"""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.evidence.ledger.acts import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.keeper.canary import Canary
from agent.keeper.renewal import Unsound, forget_cached_log, let_wait, remove, renew, take_place
from agent.keeper.salvage import Patience, Salvage, copy_damaged, restore_schema
from agent.store import announce, database, ledger, meta, row_check
from agent.store.damage import may_be_damage
from agent.store.database import FILE, StoreConnection, StoreError, connect, require_itself, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import HOUSEHOLD, Folders
from agent.store.numbers import BEHIND, LEAP, Note, noted
from agent.store.schema import SCHEMA, TABLES

# In a folder where only the keeper writes: beside the database, another role could place a link.
NEW, COPY = (f"{HOUSEHOLD}/taimat.db.{ending}" for ending in ("new", "copy"))
ASIDE = FILE + ".damaged-"          # and a number
ASIDE_MAX = 3                       # older ones are deleted
CODE = "database_damaged"
GONE = FILE.rpartition("/")[2]      # of a lost database, nothing can be set aside
NAMES_N_MAX, NAME_MAX = 8, 60       # reported names of what is not ours in a schema
NOTE = "mended.json"                # in the keeper's folder: what is to be reported
OWN_NEW, OWN_COPY, OWN_ASIDE = (f"{decisions.FILE}.{ending}" for ending in ("new", "copy", "damaged"))

_log = logging.getLogger(__name__)


def open_database(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """Returns the store's database, and where a damaged one was set aside, or `GONE` for a lost one.

    `patience` is called now and then during a repair. Raises StoreError, OSError and sqlite3.Error.
    """
    finish(folders)
    _clear_place(folders)
    for _ in range(2):                  # a block that could not be read may be readable now
        try:
            db, aside = _compared(connect(folders.root), folders)
            return db, cleared(db, folders) or aside
        except StoreError as error:
            if not may_be_damage(error):
                raise
    return reopened(folders, patience)


def successor(db: StoreConnection, folders: Folders, error: Exception,
              patience: Patience) -> tuple[StoreConnection, str | None] | None:
    """Returns the database to use after `error`, or None for the open one. Raises as `open_database`."""
    if db.distrusted():
        try:
            renew(folders.root / FILE, folders.root / NEW, patience)
        except Unsound:
            made = reopened(folders, patience)
            db.close()
            return made
        return database.current(db), None
    if not isinstance(error, database.Replaced):
        return None
    _clear_place(folders)
    return _compared(database.current(db), folders)


def _compared(db: StoreConnection, folders: Folders) -> tuple[StoreConnection, str | None]:
    """If the page knows a ledger and this database has none, it is a new one in a lost one's place."""
    known = noted(folders.root)
    if known is None or not known.ledger_n or ledger.head(db).n or (folders.keys / NOTE).exists():
        return db, None
    _log.error("%s was lost: a new one replaces it, and continues its numbers", db.path)
    _note(db, folders, ("all",))
    return db, GONE


def cleared(db: StoreConnection, folders: Folders) -> str | None:
    """Removes from the schema what no version of ours made, and restores our indexes; returns a summary.

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
        names = sorted({" ".join(part[:2])[:NAME_MAX] for part in wrong | missing})[:NAMES_N_MAX]
        db.execute("PRAGMA foreign_keys = OFF")     # a table that is not ours must not interfere
        with transaction(db):
            for kind, name, _ in wrong:
                db.execute('DROP {} IF EXISTS "{}"'.format(kind, name.replace('"', '""')))
            for _, _, sql in missing:
                db.execute(sql)
            _note(db, folders, names)
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        if database.is_held(error):
            return None
        db.close()
        raise StoreError(f"{db.path}: {error}") from error
    _log.error("%s: its schema was changed, and is restored: %s", db.path, ", ".join(names))
    return f"schema: {', '.join(names)}"


def _schema(db: sqlite3.Connection) -> set[tuple[str, str, str]]:
    # Without the SQL of tables, which differs in older versions.
    return set(map(tuple, db.execute("SELECT type, name, iif(type = 'table', '', sql) FROM sqlite_schema "
                                     "WHERE sql IS NOT NULL")))


def _clear_place(folders: Folders) -> None:
    """Removes what is in the database's place but no file: another role has put it there. Raises OSError."""
    path = folders.root / FILE
    if path.is_symlink() or (os.path.lexists(path) and not path.is_file()):
        _log.error("%s was not a file, because another role has put something there; it is made again", path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def reopened(folders: Folders, patience: Patience) -> tuple[StoreConnection, str]:
    """Rebuilds the database; returns it and where the damaged one was set aside. Raises as `rebuild`."""
    done = rebuild(folders, patience)
    return connect(folders.root), done.aside.name


@dataclass(frozen=True, slots=True)
class Rebuilt:
    aside: Path
    rows_n: int
    torn: tuple[str, ...]           # tables that could not be read whole


def is_sound(db: sqlite3.Connection, check: str = "quick_check") -> bool:
    """Whether SQLite finds the file sound; "integrity_check" also compares indexes. Raises sqlite3.Error."""
    try:
        return db.execute(f"PRAGMA {check}(1)").fetchone()[0] == "ok"
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not may_be_damage(error):
            raise
        return False


def rebuild(folders: Folders, patience: Patience = lambda: None) -> Rebuilt:
    """Replaces the damaged database by one with its rows. Repeatable. Raises OSError, sqlite3.Error, StoreError."""
    for left_over in (NEW, COPY):
        remove(folders.root / left_over)
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(contextlib.closing(_opened(folders.root / FILE)))
        new = stack.enter_context(contextlib.closing(connect(folders.root, file=NEW)))
        rows_n, torn = _fill(new, old, folders, patience)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.close()
        let_wait(folders.root / NEW, folders.root / FILE)
        aside = finish(folders)             # while we hold the old one's lock, so no process commits to it
    assert aside is not None
    _log_rebuilt(folders.root / FILE, done := Rebuilt(aside, rows_n, torn))
    return done


def _log_rebuilt(path: Path, done: Rebuilt) -> None:
    _log.error("%s was damaged; %d of its rows were saved, it was set aside as %s; not whole: %s", path, done.rows_n,
               done.aside.name, ", ".join(done.torn) or "none")


def finish(folders: Folders) -> Path | None:
    """Puts a rebuilt database that waits in its place; returns where the old one went, None if none waits.

    While it waits, no process opens either, so for a moment there may be none. Raises OSError.
    """
    number = _newest(folders)               # after a cut, the old one may be there already
    aside = folders.root / f"{ASIDE}{number + 1 if (folders.root / FILE).exists() or not number else number}"
    if not take_place(folders.root / FILE, aside):
        return None
    remove(folders.root / COPY)             # left by a cut
    for number in range(1, _newest(folders) - ASIDE_MAX + 1):
        remove(folders.root / f"{ASIDE}{number}")
    return aside


def report(db: sqlite3.Connection, page: Canary, now: Instant) -> None:
    """Reports a repair to ward and ledger, after a cut maybe twice. Raises OSError and sqlite3.Error."""
    note = page.folders.keys / NOTE
    if not note.exists():
        return
    with contextlib.suppress(msgspec.DecodeError), transaction(db):
        act = msgspec.json.decode(note.read_bytes(), type=DatabaseMended)
        announce.storage(db, now, CODE, over=True, detail=f"not whole: {', '.join(act.torn) or 'none'}")
        ledger.note(db, now, act)
        meta.take(db, BEHIND)               # it was no fault of the card
    page.note(db, now)
    note.unlink()


def _note(new: sqlite3.Connection, folders: Folders, torn: Sequence[str]) -> None:
    """Stores a repair that is not reported yet, in the keeper's folder, so that no role can report a false one."""
    known, head = noted(folders.root), ledger.head(new)
    folders.keys.mkdir(mode=0o700, exist_ok=True)
    write_durably(folders.keys / NOTE, msgspec.json.encode(DatabaseMended(
        ledger_n=head.n, before_n=known.ledger_n if known else None,
        before=known.ledger_head or None if known else None, torn=list(torn))), mode=0o600)


def _opened(path: Path) -> sqlite3.Connection:
    """Opens the damaged database, with its writers' lock if that still works."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    require_itself(db, path)
    with contextlib.suppress(sqlite3.DatabaseError):
        db.execute("BEGIN IMMEDIATE")
    return db


def _fill(new: StoreConnection, old: sqlite3.Connection, folders: Folders,
          patience: Patience) -> tuple[int, tuple[str, ...]]:
    """Saves into `new` what can be read of the damaged database, which `old` holds locked.

    Returns how many rows that are, and which tables are not whole. Rows may refer to clips without a row: the sweep
    finds their files, or removes the rows.
    """
    new.execute("PRAGMA foreign_keys = OFF")
    begun_at = dict(new.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    with contextlib.ExitStack() as stack:
        copied = _copied(new, folders, stack)
        stack.enter_context(transaction(new))
        salvage = Salvage(new, row_check.forms_of(), patience)
        if copied is not None:
            salvage.by_tool(folders.root / COPY)
        torn = salvage.by_reading(copied or old)
        _put_counters(new, begun_at, salvage.counters, noted(folders.root))
        # An act that is in the ledger does not wait, although a freed page may still have held it.
        new.execute("DELETE FROM act WHERE id <= ?", (ledger.last_act_n(new),))
        _note(new, folders, torn)
    return salvage.rows_n, torn


def _copied(new: StoreConnection, folders: Folders, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """Returns a connection to a copy with its schema restored; None without space for one."""
    import subprocess
    stack.callback(remove, folders.root / COPY)
    try:
        copy_damaged(folders.root / FILE, folders.root / COPY)
        restore_schema(folders.root / COPY, new, new.path)
        return stack.enter_context(contextlib.closing(sqlite3.connect(folders.root / COPY, isolation_level=None)))
    except (OSError, subprocess.SubprocessError) as error:
        _log.error("the damaged database cannot be copied (%s): it is read in place", error)
        return None


def _put_counters(new: sqlite3.Connection, begun_at: dict[str, int], known: dict[str, int], page: Note | None) -> None:
    """Sets the counters so that no number is given twice; `known` are those found in the old database."""
    counted = new.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'").fetchall()
    for table in (row["name"] for row in counted):
        number = next(row["name"] for row in new.execute(f"PRAGMA table_info({table})") if row["pk"])
        counter = max(begun_at.get(table, 0), known.get(table, 0))
        if table in known:                  # a row with a higher number is damage
            new.execute(f"DELETE FROM {table} WHERE {number} > ?", (counter,))
        reached = new.execute(f"SELECT COALESCE(MAX({number}), 0) FROM {table}").fetchone()[0]
        noted_n = page.given(table) if page else 0
        if table == "act" and table not in known:       # counted without a gap: the ledger shows missing ones
            counter = ledger.last_act_n(new) or (noted_n and noted_n + LEAP[table])
        elif table not in {*known, *begun_at}:          # numbers that the ward has seen must not be reused
            counter = max(reached, noted_n) + LEAP.get(table, 0)
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(counter, reached)))


def _newest(folders: Folders) -> int:
    """Returns the number of the newest database that was set aside; 0 without one."""
    numbers = (str(path.relative_to(folders.root)).removeprefix(ASIDE) for path in folders.root.glob(f"{ASIDE}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def open_own(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """Returns the keeper's own database, checked, and where a damaged one was set aside. Raises as `open_database`."""
    path = folders.keys / decisions.FILE
    take_place(path, folders.keys / OWN_ASIDE)
    forget_cached_log(path)
    try:
        own = decisions.connect(folders)
        if is_whole(own):
            return own, None
        own.close()
    except StoreError as error:
        if not may_be_damage(error):
            raise
    import subprocess
    try:
        _rebuild_own(folders, path, patience)
    except subprocess.SubprocessError as error:
        raise StoreError(f"{path} is damaged and cannot be copied: {error}") from error
    return decisions.connect(folders), OWN_ASIDE


def renew_own(folders: Folders, patience: Patience) -> None:
    """After a failed write, moves it to other blocks if it is whole. Raises StoreError, OSError and sqlite3.Error."""
    with contextlib.suppress(Unsound):
        renew(folders.keys / decisions.FILE, folders.keys / OWN_NEW, patience)


def is_whole(own: sqlite3.Connection) -> bool:
    """Whether SQLite finds it sound, and each row is valid. Raises sqlite3.Error."""
    try:
        return is_sound(own) and not any(row_check.spoiled(own, row_check.forms_of(decisions.TABLES)))
    except sqlite3.Error as error:
        if not may_be_damage(error):
            raise
        return False


def _rebuild_own(folders: Folders, path: Path, patience: Patience) -> None:
    new_path, copied, aside = (folders.keys / name for name in (OWN_NEW, OWN_COPY, OWN_ASIDE))
    for left_over in (new_path, copied, aside):
        remove(left_over)
    copy_damaged(path, copied)
    with contextlib.closing(decisions.connect(folders, OWN_NEW)) as new:
        restore_schema(copied, new, new.path)
        fresh_key = meta.get(new, decisions.MARK_KEY)
        with contextlib.closing(sqlite3.connect(copied, isolation_level=None)) as old, transaction(new):
            new.execute("DELETE FROM meta")     # keep the old key: acts that wait to be signed have its mark
            salvage = Salvage(new, row_check.forms_of(decisions.TABLES), patience)
            salvage.by_tool(copied)
            torn = salvage.by_reading(old)
            if meta.get(new, decisions.MARK_KEY) is None:
                meta.put(new, decisions.MARK_KEY, str(fresh_key))
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let_wait(new_path, path)
    take_place(path, aside)
    remove(copied)
    _log_rebuilt(path, Rebuilt(aside, salvage.rows_n, torn))
