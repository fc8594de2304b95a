"""The keeper's own database, `keys/decisions.db`, and the mark of acts that could not be signed at once."""
import hmac
import os
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from agent.host.files import sync_folder
from agent.store import meta
from agent.store.database import BUSY_S, StoreConnection, StoreError, make_tables, open_file, transaction
from agent.store.folders import Folders

FILE = "decisions.db"
SCHEMA = 3
MARK_KEY = "mark_key"       # in meta: 32 random bytes, hex
TABLES = Path(__file__).with_name("decisions.sql").read_text(encoding="utf-8")
LEDGER = TABLES[TABLES.index("CREATE TABLE ledger"):]

Mark = Callable[[bytes], bytes]


def connect(folders: Folders, file: str = FILE, busy_s: float = BUSY_S) -> StoreConnection:
    """Opens (and if necessary creates) the database; use one connection per thread. Raises StoreError."""
    path = folders.keys / file
    try:
        if not folders.keys.is_dir():
            folders.keys.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folders.root)
        return open_file(path, _make, busy_s)
    except PermissionError as error:
        raise StoreError(f"{path}: only the recorder's owner may decide") from error
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; check that the card is not full or "
                         "read-only (taimat doctor)") from error


def _make(db: StoreConnection, path: Path) -> None:
    if _schema(db) == 0:
        with transaction(db):
            if make_tables(db, TABLES, SCHEMA):     # otherwise another process was faster
                meta.put(db, MARK_KEY, os.urandom(32).hex())
    if _schema(db) < SCHEMA:
        with transaction(db):
            if _schema(db) == 1:                    # it had no roles: every paired browser was an owner
                db.execute("ALTER TABLE browser ADD COLUMN role TEXT NOT NULL DEFAULT 'owner'")
            if _schema(db) < SCHEMA:
                db.execute(LEDGER)
                db.execute(f"PRAGMA user_version = {SCHEMA}")


def _schema(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def mark(own: sqlite3.Connection) -> Mark:
    """Returns the keeper's mark, HMAC-SHA-256 with a key that only its own database has. Raises sqlite3.Error."""
    key = bytes.fromhex(str(meta.get(own, MARK_KEY)))
    return lambda data: hmac.digest(key, data, sha256)
