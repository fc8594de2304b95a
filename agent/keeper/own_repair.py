"""The keeper's own database, repaired at a start if it is damaged: what the household has decided goes on.

It stands alone because nobody but the keeper has this one open: it is put in its place while nothing is at work.
"""
import contextlib
import logging
import sqlite3
import subprocess
from pathlib import Path

from agent.keeper import damaged_copy
from agent.keeper.renewal import Unsound, forget_cached_log, renew
from agent.keeper.repair import is_sound
from agent.keeper.salvage import Patience, Salvage
from agent.keeper.succession import let_wait, remove, take_place
from agent.store import meta, row_check
from agent.store.damage import may_be_damage
from agent.store.database import StoreConnection, StoreError, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

NEW, COPY, ASIDE = (f"{decisions.FILE}.{ending}" for ending in ("new", "copy", "damaged"))

_log = logging.getLogger(__name__)


def open_own(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """The keeper's database, all of it looked at, and the name under which a damaged one was set aside, if one was.

    Raises StoreError, OSError and sqlite3.Error.
    """
    take_place(folders.keys / decisions.FILE, folders.keys / ASIDE)
    forget_cached_log(folders.keys / decisions.FILE)
    try:
        own = decisions.connect(folders)
        if is_whole(own):
            return own, None
        own.close()
    except StoreError as error:
        if not may_be_damage(error):
            raise
    try:
        _mend(folders.keys, folders, patience)
    except subprocess.SubprocessError as error:
        raise StoreError(f"{folders.keys / decisions.FILE} is damaged and can't be copied: {error}") from error
    return decisions.connect(folders), ASIDE


def renew_own(folders: Folders, patience: Patience = lambda: None) -> None:
    """After a failed write: give it other blocks. Connections to it have to be opened anew.

    One that is not whole waits for the next start. Raises StoreError, OSError and sqlite3.Error.
    """
    with contextlib.suppress(Unsound):
        renew(folders.keys / decisions.FILE, folders.keys / NEW, patience)


def is_whole(own: sqlite3.Connection) -> bool:
    """Whether all of it is as SQLite wrote it, and each row holds what it may. Raises sqlite3.Error."""
    try:
        return is_sound(own) and not any(row_check.spoiled(own, row_check.forms_of(decisions.TABLES)))
    except sqlite3.Error as error:
        if not may_be_damage(error):
            raise
        return False


def _mend(keys: Path, folders: Folders, patience: Patience) -> None:
    for left_over in (NEW, COPY, ASIDE):
        remove(keys / left_over)
    damaged_copy.copy(keys / decisions.FILE, keys / COPY)
    with contextlib.closing(decisions.connect(folders, NEW)) as new:
        rows_n, torn = _fill(new, keys / COPY, patience)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let_wait(keys / NEW, keys / decisions.FILE)
    take_place(keys / decisions.FILE, keys / ASIDE)
    remove(keys / COPY)
    _log.error("%s was damaged; %d rows of it go on, it was set aside as %s; not whole: %s", keys / decisions.FILE,
               rows_n, ASIDE, ", ".join(torn) or "none")


def _fill(new: StoreConnection, copied: Path, patience: Patience) -> tuple[int, tuple[str, ...]]:
    """Returns how many rows go on, and which tables are not whole."""
    new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged_copy.restore_schema(copied, new.path, dict(new.execute(
        "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()))
    fresh_key = meta.get(new, decisions.MARK_KEY)
    with contextlib.closing(sqlite3.connect(copied, isolation_level=None)) as old, transaction(new):
        new.execute("DELETE FROM meta")     # the old key is to go on: what waits to be signed has its mark
        salvage = Salvage(new, row_check.forms_of(decisions.TABLES), patience)
        salvage.by_tool(copied)
        torn = salvage.by_reading(old)
        if meta.get(new, decisions.MARK_KEY) is None:
            meta.put(new, decisions.MARK_KEY, str(fresh_key))
    return salvage.rows_n, torn
