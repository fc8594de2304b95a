"""The keeper's own database, repaired at a start if it is damaged: what the household has decided goes on.

It stands alone because nobody but the keeper has this one open: it is put in its place while nothing is at work.
"""
import contextlib
import logging
import os
import sqlite3
import subprocess
from pathlib import Path

from agent.host.files import sync_folder
from agent.keeper import damaged_copy
from agent.keeper.repair import is_sound
from agent.keeper.salvage import Patience, Salvage
from agent.store import meta
from agent.store.database import StoreConnection, StoreError, is_damage, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

NEW, COPY, ASIDE = (f"{decisions.FILE}.{ending}" for ending in ("new", "copy", "damaged"))
_SIDES = ("", "-wal", "-shm")

_log = logging.getLogger(__name__)


def open_own(folders: Folders, patience: Patience = lambda: None) -> tuple[StoreConnection, str | None]:
    """The keeper's database, all of it looked at, and the name under which a damaged one was set aside, if one was.

    Raises StoreError, OSError and sqlite3.Error.
    """
    try:
        own = decisions.connect(folders)
        if is_sound(own):
            return own, None
        own.close()
    except StoreError as error:
        if not is_damage(error):
            raise
    try:
        _mend(folders.keys, folders, patience)
    except subprocess.SubprocessError as error:
        raise StoreError(f"{folders.keys / decisions.FILE} is damaged and can't be copied: {error}") from error
    return decisions.connect(folders), ASIDE


def _mend(keys: Path, folders: Folders, patience: Patience) -> None:
    for left_over in (NEW, COPY, ASIDE):
        _remove(keys / left_over)
    damaged_copy.copy(keys / decisions.FILE, keys / COPY)
    with contextlib.closing(decisions.connect(folders, NEW)) as new:
        rows_n, torn = _fill(new, keys / COPY, patience)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (keys / NEW).open("rb") as file:
        os.fsync(file.fileno())
    for side in _SIDES[1:]:                 # before the database: they would be taken for the new one's
        with contextlib.suppress(FileNotFoundError):
            os.rename(keys / f"{decisions.FILE}{side}", keys / f"{ASIDE}{side}")
    os.link(keys / decisions.FILE, keys / ASIDE)
    os.rename(keys / NEW, keys / decisions.FILE)
    sync_folder(keys)
    _remove(keys / COPY)
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
        salvage = Salvage(new, patience)
        salvage.by_tool(copied)
        torn = salvage.by_reading(old)
        if meta.get(new, decisions.MARK_KEY) is None:
            meta.put(new, decisions.MARK_KEY, str(fresh_key))
    return salvage.rows_n, torn


def _remove(path: Path) -> None:
    for side in _SIDES:
        Path(f"{path}{side}").unlink(missing_ok=True)
