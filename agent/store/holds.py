"""Holds: clips that retention must leave alone, each with its reason and, mostly, an end.

A hold is kept whatever the card needs. So that a recorder never stops for want of room, all of them together have a
ceiling, above which no new one is taken; what is held already stays so, and health says whose it is.
"""
import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.evidence.ledger import HoldPlaced, HoldReleased
from agent.host.clock import Instant
from agent.store import ledger
from agent.store.clips import COLUMNS, Clip
from agent.store.database import transaction

WORK_MS = 24 * 3600 * 1000      # for work whose process was killed: then its hold ends, too


class HoldError(Exception):
    """A hold can't be placed; the text names the remedy."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to keep one clip."""

    clip: Clip
    reason: str
    until_wall_ms: int | None       # UTC; None: until it is released


def place(db: sqlite3.Connection, clips: Sequence[Clip], reason: str, until_wall_ms: int | None, now: Instant,
          ceiling_b: int) -> None:
    """Keep these clips until `until_wall_ms` (UTC), or until released when None: all or, above the ceiling, none.

    A clip that is held for this reason already gets the new end. Raises HoldError, and sqlite3.Error.
    """
    with transaction(db):
        for clip in clips:
            _put(db, clip.seq, reason, until_wall_ms)
            ledger.note(db, now, HoldPlaced(clip=clip.name, reason=reason, until_ms=until_wall_ms))
        if (held_b := total_b(db)) > ceiling_b:
            raise HoldError(f"clips on hold would take {held_b / 1e9:.2f} GB, and {ceiling_b / 1e9:.2f} GB are all "
                            "they may take: release some (taimat clips holds lists them), or raise hold_max_pct under "
                            "[store]")


def release(db: sqlite3.Connection, clip: Clip, now: Instant, reason: str | None = None) -> list[str]:
    """Let retention have the clip again as far as this reason goes, or for good; returns the reasons that there were.
    """
    with transaction(db):
        gone = db.execute("DELETE FROM hold WHERE clip = ? AND reason = COALESCE(?, reason) AND NOT work "
                          "RETURNING reason", (clip.seq, reason)).fetchall()
        for row in gone:
            ledger.note(db, now, HoldReleased(clip=clip.name, reason=row["reason"], why="released"))
    return [row["reason"] for row in gone]


def expire(db: sqlite3.Connection, now: Instant) -> int:
    """Release what has run out; only called while the clock is right. Returns how many."""
    over = db.execute("SELECT hold.clip, reason, work, name FROM hold JOIN clip ON clip.seq = hold.clip "
                      "WHERE until_wall_ms <= ?", (now.wall_ms,)).fetchall()
    if over:
        with transaction(db):
            for row in over:
                db.execute("DELETE FROM hold WHERE clip = ? AND reason = ?", (row["clip"], row["reason"]))
                if not row["work"]:
                    ledger.note(db, now, HoldReleased(clip=row["name"], reason=row["reason"], why="expired"))
    return len(over)


@contextlib.contextmanager
def while_read(db: sqlite3.Connection, clips: Iterable[Clip], now: Instant) -> Iterator[None]:
    """Retention leaves these clips alone as long as an export reads them. No act of anybody's, so no ledger's row.

    Raises HoldError if one is being deleted already, and sqlite3.Error.
    """
    reason = f"read {os.urandom(6).hex()}"
    with transaction(db):
        for clip in clips:
            _put(db, clip.seq, reason, now.wall_ms + WORK_MS, work=True)
    try:
        yield
    finally:
        db.execute("DELETE FROM hold WHERE reason = ?", (reason,))


def pin(db: sqlite3.Connection, clips: Iterable[Clip], reason: str) -> None:
    """The same for work that outlives its process: until `unpin`. Within the caller's transaction.

    Raises HoldError if one is being deleted already.
    """
    for clip in clips:
        _put(db, clip.seq, reason, None, work=True)


def unpin(db: sqlite3.Connection, reason: str) -> list[int]:
    """Let retention have them again; returns their seqs."""
    return [row["clip"] for row in db.execute("DELETE FROM hold WHERE reason = ? AND work RETURNING clip", (reason,))]


def placed(db: sqlite3.Connection) -> list[Hold]:
    """All holds that somebody has placed: those without an end first, then those that last longest."""
    rows = db.execute(f"SELECT {COLUMNS}, hold.reason, hold.until_wall_ms FROM hold JOIN clip ON clip.seq = hold.clip "
                      "WHERE NOT work ORDER BY until_wall_ms IS NOT NULL, until_wall_ms DESC, seq")
    return [_hold(**row) for row in rows]


def _hold(reason: str, until_wall_ms: int | None, **clip: Any) -> Hold:
    return Hold(Clip(**clip), reason, until_wall_ms)


def total_b(db: sqlite3.Connection) -> int:
    """The size of the clips that somebody has placed a hold on."""
    return db.execute("SELECT COALESCE(SUM(bytes), 0) FROM clip "
                      "WHERE seq IN (SELECT clip FROM hold WHERE NOT work)").fetchone()[0]


def _put(db: sqlite3.Connection, seq: int, reason: str, until_wall_ms: int | None, work: bool = False) -> None:
    row = db.execute("SELECT name, state FROM clip WHERE seq = ?", (seq,)).fetchone()
    if row["state"] in ("deleting", "deleted", "lost"):
        raise HoldError(f"clip {row['name']} is {row['state']} by now; taimat clips list tells what is there")
    db.execute("INSERT INTO hold (clip, reason, until_wall_ms, work) VALUES (?, ?, ?, ?) "
               "ON CONFLICT DO UPDATE SET until_wall_ms = excluded.until_wall_ms", (seq, reason, until_wall_ms, work))
