"""Single values of the store, such as its counters."""
import contextlib
import sqlite3
from typing import TypeVar

import msgspec

T = TypeVar("T")


def get(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row["value"] if row else None


def read(db: sqlite3.Connection, key: str, kind: type[T]) -> T | None:
    """Decodes the value, which is JSON; None also if it is spoiled."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(get(db, key) or "null", type=kind | None)    # type: ignore[operator]
    return None


def put(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?) "
               "ON CONFLICT DO UPDATE SET value = excluded.value", (key, value))


def take(db: sqlite3.Connection, key: str) -> str | None:
    """Returns the value and deletes it; None if it was never set."""
    row = db.execute("DELETE FROM meta WHERE key = ? RETURNING value", (key,)).fetchone()
    return row["value"] if row else None


def count_up(db: sqlite3.Connection, key: str) -> int:
    """Adds one to a counter that survives power cuts; returns the new value, 1 at first."""
    row = db.execute("INSERT INTO meta (key, value) VALUES (?, '1') "
                     "ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value", (key,)).fetchone()
    return int(row["value"])
