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

LEDGER = """
CREATE TABLE ledger (                     -- the newest rows about decisions once more: a role may delete the shared
    n INTEGER PRIMARY KEY,
    doc BLOB NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    sig BLOB NOT NULL
) STRICT;
"""

TABLES = """
CREATE TABLE meta (                       -- single values: pairing code, household's key, ...
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE browser (                    -- paired browsers of the household
    token_sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    paired_wall_ms INTEGER NOT NULL,
    used_wall_ms INTEGER NOT NULL,        -- to the hour, so that looking costs few writes
    role TEXT NOT NULL DEFAULT 'owner'    -- owner | viewer
) STRICT, WITHOUT ROWID;

CREATE TABLE link (                       -- links that pair a browser once, within a minute
    token_sha256 TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    until_mono_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (                   -- a request of the ward, and the newest word on it: store.decisions.decided
    request TEXT PRIMARY KEY,             -- the ward's command
    digest TEXT NOT NULL,                 -- of what is asked, as its signed command says: SHA-256
    expires_ms INTEGER NOT NULL,          -- UTC: from then on the command is refused
    until_ms INTEGER NOT NULL,            -- UTC: then nobody waits for the household any more
    code TEXT NOT NULL,                   -- waiting, or core.household.sharing_rules.Decision
    by TEXT,                              -- rule | command | page | time | ward | leaving (it); NULL: nobody yet
    boot TEXT NOT NULL,                   -- of that word, like the next three
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0       -- 1: the shared row, ledger and ward have it
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (                       -- clips that retention must leave alone, by name: a name outlives a database
    clip TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_wall_ms INTEGER,                -- NULL: until released
    state TEXT NOT NULL,                  -- held; placed, released or expired: so, and the ledger is to be told
    PRIMARY KEY (clip, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_key (                    -- what files are encrypted for; private halves are files beside this one
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL,                 -- X25519
    boot TEXT NOT NULL,                   -- when it was made
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    first_seq INTEGER,                    -- no clip with a lower number is encrypted for it; NULL: not known
    for_household BLOB,                   -- the private half, wrapped for the household's key, if there is one
    gone INTEGER NOT NULL DEFAULT 0       -- 1: destroyed, and with it all that was encrypted for it
) STRICT;

CREATE TABLE condemned (                  -- clips whose files are to go, on whose word
    clip TEXT PRIMARY KEY,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
""" + LEDGER        # last, as in a database that was made before this table existed

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
