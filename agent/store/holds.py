"""Holds: clips that retention must not delete, each with its reason and usually an end.

A hold stays even if the card needs room. So that a recorder never stops for lack of room, all holds together have a
limit, and new ones above it are refused. Existing ones stay, and health shows their owners.

The keeper's own table counts (agent/store/decisions). The shared one shows it to the other roles, and lists the clips
that the agent itself is reading.
"""
import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.core.evidence.ledger.acts import HoldPlaced, HoldReleased
from agent.host.clock import Instant
from agent.store import clips, ledger
from agent.store.clips import COLUMNS, Clip
from agent.store.database import transaction
from agent.store.requests import OPEN
from agent.store.row_check import sound

STANDS = "state IN ('held', 'placed')"
PIN = "request "              # and the id: a reason of the agent's own
WORK_MS = 24 * 3600 * 1000      # so that the hold of a killed process ends


class HoldError(Exception):
    """A hold cannot be placed; the text names the remedy."""


class HoldsFull(HoldError):
    """The new hold would exceed the limit of all holds together."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to keep one clip."""

    clip: Clip
    reason: str
    until_wall_ms: int | None       # UTC; None: until it is released


def place(own: sqlite3.Connection, db: sqlite3.Connection, wanted: Sequence[Clip], reason: str,
          until_wall_ms: int | None, now: Instant, ceiling_b: int) -> None:
    """Keeps these clips until `until_wall_ms` (UTC; None: until released): all of them or, above the limit, none. A
    clip that is held for this reason already gets the new end. Raises HoldError and sqlite3.Error."""
    with transaction(own):
        for clip in wanted:
            _require_there(db, clip.seq)
            own.execute("INSERT OR REPLACE INTO hold (clip, reason, until_wall_ms, state) VALUES (?, ?, ?, 'placed')",
                        (clip.name, reason, until_wall_ms))
        sizes_b = (db.execute("SELECT bytes FROM clip WHERE name = ?", (name,)).fetchone() for name in names(own))
        if (held_b := sum(row["bytes"] or 0 for row in sizes_b if row)) > ceiling_b:
            raise HoldsFull(f"clips on hold would take {held_b / 1e9:.2f} GB, and {ceiling_b / 1e9:.2f} GB are all "
                            "they may take: release some (taimat clips holds lists them), or raise hold_max_pct under "
                            "[store]")
    show(own, db, now)


def release(own: sqlite3.Connection, db: sqlite3.Connection, kept: Iterable[Clip], now: Instant,
            reason: str | None = None) -> int:
    """Releases clips from this reason, or from all; returns how many holds there were."""
    with transaction(own):
        gone_n = sum(own.execute("UPDATE hold SET state = 'released' WHERE clip = ? AND reason = COALESCE(?, reason) "
                                 f"AND {STANDS}", (clip.name, reason)).rowcount for clip in kept)
    show(own, db, now)
    return gone_n


def expire(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> int:
    """Releases holds that have run out; call it only while the clock is right. Returns how many."""
    over_n = own.execute(f"UPDATE hold SET state = 'expired' WHERE until_wall_ms <= ? AND {STANDS}",
                         (now.wall_ms,)).rowcount
    show(own, db, now)
    return over_n + db.execute("DELETE FROM hold WHERE work AND until_wall_ms <= ?", (now.wall_ms,)).rowcount


def names(own: sqlite3.Connection) -> set[str]:
    return {row["clip"] for row in own.execute(f"SELECT DISTINCT clip FROM hold WHERE {STANDS}")}


def show(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
    """Makes the shared rows, which any role may have changed, say what was decided; adds ledger rows for changes.
    Raises sqlite3.Error. After a power cut the ledger may have a row twice, but never none."""
    decided = own.execute("SELECT * FROM hold").fetchall()
    stand = {(row["clip"], row["reason"]): row["until_wall_ms"] for row in decided
             if row["state"] in ("held", "placed") and clips.get(db, row["clip"])}
    shown = {(row["name"], row["reason"]): row["until_wall_ms"] for row in db.execute(
        "SELECT name, reason, until_wall_ms FROM hold JOIN clip ON clip.seq = hold.clip WHERE NOT work")}
    news = [row for row in decided if row["state"] != "held"]
    if not news and stand == shown:
        return
    with transaction(own), transaction(db):         # the shared one, with the ledger's row, is committed first
        db.execute("DELETE FROM hold WHERE NOT work")
        for (name, reason), until_wall_ms in stand.items():
            db.execute("INSERT OR REPLACE INTO hold (clip, reason, until_wall_ms) "
                       "SELECT seq, ?, ? FROM clip WHERE name = ?", (reason, until_wall_ms, name))
        for row in news:
            ledger.note(db, now, _act(row))
        own.execute("UPDATE hold SET state = 'held' WHERE state = 'placed'")
        own.execute("DELETE FROM hold WHERE state IN ('released', 'expired')")


def forget(own: sqlite3.Connection, erased: Iterable[str]) -> None:
    """Drops the holds of clips that the household erases. Within the caller's transaction."""
    own.executemany("DELETE FROM hold WHERE clip = ?", ((name,) for name in erased))


def _act(row: sqlite3.Row) -> HoldPlaced | HoldReleased:
    if row["state"] == "placed":
        return HoldPlaced(clip=row["clip"], reason=row["reason"], until_ms=row["until_wall_ms"])
    return HoldReleased(clip=row["clip"], reason=row["reason"], why=row["state"])


@contextlib.contextmanager
def while_read(db: sqlite3.Connection, wanted: Iterable[Clip], now: Instant) -> Iterator[None]:
    """Protects clips while an export reads them, without a ledger row. Raises HoldError and sqlite3.Error."""
    reason = read_reason()
    with transaction(db):
        hold_to_read(db, [clip.seq for clip in wanted], reason, now)
    try:
        yield
    finally:
        release_read(db, reason)


def read_reason() -> str:
    return f"read {os.urandom(6).hex()}"


def hold_to_read(db: sqlite3.Connection, seqs: Iterable[int], reason: str, now: Instant) -> None:
    """Holds these clips for a day, or until `release_read`. Within the caller's transaction. Raises HoldError."""
    for seq in seqs:
        _put(db, seq, reason, now.wall_ms + WORK_MS)


def release_read(db: sqlite3.Connection, reason: str) -> None:
    db.execute("DELETE FROM hold WHERE reason = ? AND work", (reason,))


def pin(db: sqlite3.Connection, request_id: str, found: Iterable[Clip]) -> None:
    """Keeps a request's clips until it has ended. Within the caller's transaction. Raises HoldError."""
    for clip in found:
        _put(db, clip.seq, PIN + request_id, None)


def hand_out(db: sqlite3.Connection, request_id: str) -> None:
    """The ward has the request's clips: retention may delete them, before others. Within the caller's transaction."""
    clips.hand_out(db, _unpin(db, PIN + request_id))


def release_ended(db: sqlite3.Connection) -> None:
    """Releases clips that no open request needs. It is called often, so it only writes if there are any."""
    over = db.execute("SELECT DISTINCT reason FROM hold WHERE work AND reason LIKE ?1 || '%' AND "
                      f"substr(reason, length(?1) + 1) NOT IN (SELECT id FROM request WHERE {OPEN})", (PIN,)).fetchall()
    for row in over:
        _unpin(db, row["reason"])


def _unpin(db: sqlite3.Connection, reason: str) -> list[int]:
    return [row["clip"] for row in db.execute("DELETE FROM hold WHERE reason = ? AND work RETURNING clip", (reason,))]


def placed(db: sqlite3.Connection) -> list[Hold]:
    """Lists all holds: those without an end first, then those that last longest."""
    rows = sound(db, "clip", f"SELECT {COLUMNS}, hold.reason, hold.until_wall_ms FROM hold JOIN clip ON clip.seq = "
                             "hold.clip WHERE NOT work ORDER BY until_wall_ms IS NOT NULL, until_wall_ms DESC, seq")
    return [Hold(Clip(*row[:-2]), *row[-2:]) for row in map(tuple, rows)]


def total_b(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COALESCE(SUM(bytes), 0) FROM clip "
                      "WHERE seq IN (SELECT clip FROM hold WHERE NOT work)").fetchone()[0]


def _put(db: sqlite3.Connection, seq: int, reason: str, until_wall_ms: int | None) -> None:
    _require_there(db, seq)
    db.execute("INSERT INTO hold (clip, reason, until_wall_ms, work) VALUES (?, ?, ?, 1) "
               "ON CONFLICT DO UPDATE SET until_wall_ms = excluded.until_wall_ms", (seq, reason, until_wall_ms))


def _require_there(db: sqlite3.Connection, seq: int) -> None:
    row = db.execute("SELECT name, state FROM clip WHERE seq = ?", (seq,)).fetchone()
    if row["state"] in ("deleting", "deleted", "lost"):
        raise HoldError(f"clip {row['name']} is {row['state']} by now; taimat clips list shows which clips exist")
