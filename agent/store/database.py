"""Opening the store's database: one SQLite file in WAL mode that all roles share."""
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.store.schema import MIGRATIONS

FILE = "taimat.db"
BUSY_S = 10.0           # a stalled card holds a writer for seconds; nobody gives up because of that


class StoreError(Exception):
    """The store can't be used; the text names the place and the remedy."""


def connect(folder: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Open (and if need be create or migrate) the database in `folder`; one connection a thread.

    Commits are flushed to the card (synchronous=FULL): an event that was acknowledged survives a power cut.
    Raises StoreError.
    """
    path = folder / FILE
    try:
        _create(path)
        db = sqlite3.connect(path, isolation_level=None, timeout=busy_s)
        db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 1048576",
                       "temp_store = MEMORY", "cache_size = -1024", "trusted_schema = OFF"):
            db.execute(f"PRAGMA {pragma}")
        _migrate(db, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; check that the folder can be written "
                         f"and the card is not full or read-only (taimat doctor)") from error
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All statements inside are committed together when the block ends, or none when it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        with contextlib.suppress(sqlite3.Error):        # a full card may have rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _create(path: Path) -> None:
    """Make the file as the roles need it: SQLite would make it 0644, but each role writes it through the common group.

    Only if it is not there: closing another descriptor of an open database would drop this process's locks on it.
    """
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(f"{path} was written by a newer Taimat "
                         f"(schema {version}, known up to {len(MIGRATIONS)}): update this one")
    if version == len(MIGRATIONS):
        return
    with transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]       # another role may have been quicker
        for number in range(version, len(MIGRATIONS)):
            for statement in _statements(MIGRATIONS[number]):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: executescript would commit between them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
