"""Moves a database to other blocks after a failed write (agent/store/distrust.py says why), and replaces databases.

All committed data is copied into a new file while the writers' lock is held, and read back from the card. A new
database is whole and flushed before it gets a name beside the old one, so a power cut at any moment leaves one of the
two. While it waits there, no process opens the old one (agent/store/database.py), because its log may be gone already.
"""
import contextlib
import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from agent.host.card_bytes import forget_cached
from agent.host.files import is_own, open_plain, rename_durably, sync_folder
from agent.store.card_fault import FULL
from agent.store.damage import is_damage
from agent.store.database import BUSY_S, WAITING, StoreConnection, StoreError, admit, open_file, transaction

SIDES = ("-wal", "-shm")
STEP_PAGES_N = 4096
LOG_B = 2 << 20         # more than is committed between two checkpoints

_log = logging.getLogger(__name__)


def let_wait(new: Path, path: Path) -> None:
    """Flushes `new`, a closed database, and makes it wait for the place of the one at `path`. Raises OSError."""
    with open(open_plain(new), "rb") as file:
        admit(file.fileno(), path)
        os.fsync(file.fileno())
    rename_durably(new, waiting(path))


def waiting(path: Path) -> Path:
    """Returns where the successor of the database at `path` waits."""
    return Path(f"{path}{WAITING}")


def take_place(path: Path, aside: Path | None = None) -> bool:
    """Replaces the database at `path` by the one that waits; the old one becomes `aside`, or goes.

    For a moment there may be none. Returns False if none waits. Raises OSError, and may then be repeated.
    """
    if not is_own(waiting(path)):
        return False
    for side in (*SIDES, ""):               # the log first, or it would count as the new one's
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{aside}{side}") if aside else os.unlink(f"{path}{side}")
    sync_folder(path.parent)                # for file systems without a journal
    rename_durably(waiting(path), path)
    return True


def remove(path: Path) -> None:
    """Removes a database with its log, if they exist. Raises OSError."""
    for side in ("", *SIDES):
        Path(f"{path}{side}").unlink(missing_ok=True)


class Unsound(StoreError):
    """The database cannot be read whole, so a copy would not be whole either: it must be repaired."""


def renew(path: Path, new: Path, patience: Callable[[], None] = lambda: None) -> None:
    """Replaces the database `path` by a copy, made as `new`, where only the keeper writes.

    `patience` is called now and then. Raises Unsound, StoreError, OSError and sqlite3.Error; may be repeated.
    """
    remove(new)
    with contextlib.ExitStack() as stack:
        lock, source = (stack.enter_context(contextlib.closing(open_file(path, _as_it_is, BUSY_S))) for _ in range(2))
        lock.execute("PRAGMA query_only = OFF")
        lock.execute("BEGIN IMMEDIATE")             # no other process commits meanwhile, and this one does not either
        _copy(source, new, patience)
        let_wait(new, path)
        take_place(path)
    _log.warning("%s: a fresh copy has taken its place", path)


def admit_writers(path: Path, new: Path, patience: Callable[[], None] = lambda: None) -> None:
    """Removes rights that an older version gave to a database and its folder does not; before it is opened.

    A file that another user has made can only be replaced by a copy. A failure is tried again at the next start.
    """
    admitted = True
    for side in ("", *SIDES):
        with contextlib.suppress(OSError), open(open_plain(Path(f"{path}{side}")), "rb") as file:
            admitted &= admit(file.fileno(), path)
    try:
        if not admitted:
            renew(path, new, patience)
    except (OSError, sqlite3.Error, StoreError) as error:
        _log.error("%s keeps its old rights: %s", path, error)


def reserve_log(db: StoreConnection) -> None:
    """Gives the log its blocks in advance, with zeros: blocks written once can be written again after an error.

    A card without the space does without. Raises OSError and sqlite3.Error.
    """
    # In a transaction, so that no other process writes to it.
    with transaction(db), open(open_plain(Path(f"{db.path}{SIDES[0]}"), os.O_WRONLY), "wb", buffering=0) as file:
        log_b = os.fstat(file.fileno()).st_size
        try:
            os.pwrite(file.fileno(), bytes(max(0, LOG_B - log_b)), log_b)
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in FULL:
                raise


def forget_cached_log(path: Path) -> None:
    """Has the database read from the card, as an earlier process may have met a failed write. Raises OSError."""
    for side in ("", SIDES[0]):
        forget_cached(Path(f"{path}{side}"))


def _as_it_is(db: StoreConnection, path: Path) -> None:
    """Checks nothing: missing tables and damage show when it is copied."""


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
    with open(open_plain(path), "rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").digest()
