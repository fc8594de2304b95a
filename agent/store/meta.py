"""Single values of the store, such as its counters."""
import sqlite3


def get(db: sqlite3.Connection, key: str) -> str | None:
    """The value, or None when it was never set."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row["value"] if row else None


def put(db: sqlite3.Connection, key: str, value: str) -> None:
    """Set the value."""
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?) "
               "ON CONFLICT DO UPDATE SET value = excluded.value", (key, value))


def count_up(db: sqlite3.Connection, key: str) -> int:
    """Add one to a counter that survives power cuts; returns the new value, 1 at first."""
    row = db.execute("INSERT INTO meta (key, value) VALUES (?, '1') "
                     "ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value", (key,)).fetchone()
    return int(row["value"])
