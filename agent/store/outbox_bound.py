"""What keeps the outbox and the quarantine within their bounds. core/outbox.py says what gives way."""
import sqlite3

from agent.store.outbox import FIELDS


def oldest_of(db: sqlite3.Connection, kind: str, after_seq: int, limit: int) -> list[sqlite3.Row]:
    """The oldest messages of `kind` behind `after_seq`."""
    return db.execute(f"SELECT {FIELDS} FROM outbox WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
                      (kind, after_seq, limit)).fetchall()


def quarantined_n(db: sqlite3.Connection) -> int:
    """How many messages were set aside."""
    return db.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0]


def trim_quarantine(db: sqlite3.Connection, keep_n: int) -> int:
    """Forget the oldest beyond the newest `keep_n`; returns how many went."""
    return db.execute("DELETE FROM quarantine WHERE seq NOT IN (SELECT seq FROM quarantine ORDER BY seq DESC LIMIT ?)",
                      (keep_n,)).rowcount
