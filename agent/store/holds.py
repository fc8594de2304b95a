"""Holds: clips that retention must leave alone, each with its reason and, mostly, an end."""
import sqlite3


def place(db: sqlite3.Connection, clip_seq: int, reason: str, until_wall_ms: int | None) -> None:
    """Keep the clip until `until_wall_ms` (UTC), or until released when None."""
    db.execute("INSERT INTO hold (clip, reason, until_wall_ms) VALUES (?, ?, ?) "
               "ON CONFLICT DO UPDATE SET until_wall_ms = excluded.until_wall_ms", (clip_seq, reason, until_wall_ms))


def release(db: sqlite3.Connection, clip_seq: int, reason: str) -> None:
    """Let retention have the clip again, as far as this reason goes."""
    db.execute("DELETE FROM hold WHERE clip = ? AND reason = ?", (clip_seq, reason))


def expire(db: sqlite3.Connection, now_wall_ms: int) -> int:
    """Release what has run out; only called while the clock is right. Returns how many."""
    return db.execute("DELETE FROM hold WHERE until_wall_ms <= ?", (now_wall_ms,)).rowcount
