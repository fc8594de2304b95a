"""Single values of the store, such as its counters."""
import contextlib
import sqlite3
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")
D = TypeVar("D")


def get(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row["value"] if row else None


def read(db: sqlite3.Connection, key: str, kind: type[T]) -> T | None:
    """Decodes the value, which is JSON; None also if it is spoiled."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(get(db, key) or "null", type=kind | None)    # type: ignore[operator]
    return None


def stored(key: str, kind: type[T], default: D = None) -> tuple[  # type: ignore[assignment]
        Callable[[sqlite3.Connection], T | D], Callable[[sqlite3.Connection, T | None], None]]:
    """Returns the functions that read and write it; `default` if missing or spoiled. They raise sqlite3.Error."""
    def read_it(db: sqlite3.Connection) -> T | D:
        found = read(db, key, kind)
        return default if found is None else found

    def put_it(db: sqlite3.Connection, value: T | None) -> None:
        put(db, key, msgspec.json.encode(value).decode())

    return read_it, put_it


def put(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?) "
               "ON CONFLICT DO UPDATE SET value = excluded.value", (key, value))


def take(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute("DELETE FROM meta WHERE key = ? RETURNING value", (key,)).fetchone()
    return row["value"] if row else None


def count_up(db: sqlite3.Connection, key: str) -> int:
    """Adds one to a counter that survives power cuts; returns the new value, 1 at first."""
    row = db.execute("INSERT INTO meta (key, value) VALUES (?, '1') "
                     "ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value", (key,)).fetchone()
    return int(row["value"])
