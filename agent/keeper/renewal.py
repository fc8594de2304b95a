"""After a failed write a database gets other blocks: agent/store/distrust.py says why.

All that was committed is copied into a new file while the writers' lock is held. The copy is read back from the card
before it takes the old one's place.
"""
import contextlib
import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from agent.host.card_bytes import forget_cached
from agent.host.files import open_plain
from agent.keeper.succession import SIDES, let_wait, remove, take_place
from agent.store.card_fault import FULL
from agent.store.damage import is_damage
from agent.store.database import BUSY_S, StoreConnection, StoreError, admit, open_file, transaction

STEP_PAGES_N = 4096
LOG_B = 2 << 20         # more than is committed between two checkpoints

_log = logging.getLogger(__name__)


class Unsound(StoreError):
    """What can be read of the database is not whole, so that a copy would not be, either: it has to be repaired."""


def renew(path: Path, new: Path, patience: Callable[[], None] = lambda: None) -> None:
    """Put a copy of the database `path` in its place; it is made as `new`, where the keeper alone writes.

    `patience` is called now and then. Raises Unsound, StoreError, OSError and sqlite3.Error; may be repeated.
    """
    remove(new)
    with contextlib.ExitStack() as stack:
        lock, source = (stack.enter_context(contextlib.closing(open_file(path, _as_it_is, BUSY_S))) for _ in range(2))
        lock.execute("PRAGMA query_only = OFF")
        lock.execute("BEGIN IMMEDIATE")             # nobody commits meanwhile, and nothing is committed here
        _copy(source, new, patience)
        let_wait(new, path)
        take_place(path)
    _log.warning("%s: a fresh copy has taken its place", path)


def admit_writers(path: Path, new: Path, patience: Callable[[], None] = lambda: None) -> None:
    """Take from a database of a version before the rights that its folder does not give: before anybody opens it.

    What another user has made gets others as a copy alone. What fails now is tried again at the next start.
    """
    admitted = True
    for side in ("", *SIDES):
        with contextlib.suppress(OSError), open(open_plain(Path(f"{path}{side}")), "rb") as file:
            admitted &= admit(file.fileno(), path)
    try:
        if not admitted:
            renew(path, new, patience)
    except (OSError, sqlite3.Error, StoreError) as error:
        _log.error("%s keeps the rights that it had: %s", path, error)


def reserve_log(db: StoreConnection) -> None:
    """Give the log its blocks beforehand, with zeros: one that was written once can be written again after an error.

    A card without the room for that does without. Raises OSError and sqlite3.Error.
    """
    with transaction(db):                           # so nobody else writes to it
        handle = open_plain(Path(f"{db.path}{SIDES[0]}"), os.O_WRONLY)
        try:
            os.pwrite(handle, bytes(max(0, LOG_B - (log_b := os.fstat(handle).st_size))), log_b)
            os.fsync(handle)
        except OSError as error:
            if error.errno not in FULL:
                raise
        finally:
            os.close(handle)


def forget_cached_log(path: Path) -> None:
    """Before a database is opened: have it read from the card, for a process that is gone may have met a failed write.

    Raises OSError.
    """
    for side in ("", SIDES[0]):
        forget_cached(Path(f"{path}{side}"))


def _as_it_is(db: StoreConnection, path: Path) -> None:
    """It has its tables, or is damaged: either shows when it is copied."""


def _copy(source: StoreConnection, new: Path, patience: Callable[[], None]) -> None:
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as target:
        os.chmod(new, os.stat(source.path).st_mode & 0o777)
        source.backup(target, pages=STEP_PAGES_N, progress=lambda *_: patience())
    written = _digest(new)
    forget_cached(new)
    if _digest(new) != written:
        raise StoreError(f"{new}: the card does not keep what is written to it")
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as fresh:
        try:
            sound = fresh.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            sound = False
    if not sound:
        raise Unsound(f"{source.path} is damaged")


def _digest(path: Path) -> bytes:
    """Of a file that is flushed first. Raises OSError."""
    handle = open_plain(path)
    try:
        os.fsync(handle)
        with open(handle, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").digest()
    finally:
        os.close(handle)
