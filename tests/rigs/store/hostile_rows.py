"""Rows of the shared database that a lost role has written: other numbers and texts, wherever a column takes them."""
import sqlite3

from agent.host.clock import SystemClock
from agent.store import clips, events
from agent.store.database import transaction
from tests.rigs.ward.requests import ask

TABLES = {"clip": "seq", "event": "id", "request": "n", "hold": "clip"}
# What rows are found by, and what the page looks up by itself.
FIXED = ("state", "kind", "clock", "id", "name", "thumb", "decided_by", "work", "boxes", "zones", "path")


def fill(db: sqlite3.Connection) -> None:
    """A clip on hold with its event, and a request that waits."""
    now = SystemClock().now()
    with transaction(db):
        seq, _ = clips.open_row(db, "gate", "motion", now, "h264", 640, 360)
        clips.finish(db, seq, "done", 12_000, 3_000_000, 180)
        events.open_row(db, "gate", "motion", now)
        db.execute("INSERT INTO hold (clip, reason) VALUES (?, 'case')", (seq,))
    ask(db)


def overwrite(db: sqlite3.Connection, number: int, text: str) -> None:
    """Write these into whatever column takes them."""
    db.execute("PRAGMA foreign_keys = OFF")
    for table, key in TABLES.items():
        for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})").fetchall():
            value = {"INTEGER": number, "TEXT": text}.get(kind)
            if value is not None and column not in (*FIXED, key, "clip"):
                try:
                    db.execute(f"UPDATE {table} SET {column} = ?", (value,))
                except sqlite3.IntegrityError:
                    continue                # the table itself refuses it
