"""What the ward has ordered, and what it was answered: kept for 30 days, so that nothing is carried out twice.

A command is recorded before it is carried out. What stands as accepted when a process starts was cut off by a kill.
"""
import sqlite3
from dataclasses import dataclass

from agent.host.clock import Instant
from agent.store import boots
from agent.store.row_check import sound

KEPT_MS = 30 * 86_400_000
KEPT_N = 2000               # however many come; signed ones go last: nobody but the ward can make them


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command as it came, and the answer to it."""

    id: str
    name: str
    by: str | None
    state: str
    answer: bytes               # payload
    signed: bool
    who: str
    correlation: bytes | None
    when: Instant


def answer(db: sqlite3.Connection, command_id: str, signed: bool = False) -> bytes | None:
    """The answer as it stands, final or not; None when no such command came, or for a `signed` one no signed one."""
    row = db.execute("SELECT answer FROM command WHERE id = ? AND signed >= ?", (command_id, signed)).fetchone()
    return row["answer"].encode() if row else None


def add(db: sqlite3.Connection, ordered: Ordered) -> None:
    """Record a command that is new, and forget what is too old or too much; in the caller's transaction.

    A signed one takes the place of one that somebody without the ward's key has sent under its id.
    """
    when = ordered.when
    db.execute("DELETE FROM command WHERE id = ? AND NOT signed", (ordered.id,))
    db.execute("INSERT INTO command (id, name, asker, state, answer, signed, who, correlation, boot, mono_ms, wall_ms, "
               "clock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               (ordered.id, ordered.name, ordered.by, ordered.state, ordered.answer.decode(), ordered.signed,
                ordered.who, ordered.correlation, when.boot, when.mono_ms, when.wall_ms, when.clock))
    _forget(db, when)


def finish(db: sqlite3.Connection, ordered: Ordered, state: str, payload: bytes) -> bool:
    """Its final answer, in the transaction of what it did. Returns whether it was still without one."""
    return db.execute("UPDATE command SET state = ?, answer = ? WHERE id = ? AND signed = ? AND state = 'accepted'",
                      (state, payload.decode(), ordered.id, ordered.signed)).rowcount == 1


def answered(db: sqlite3.Connection, ordered: Ordered, payload: bytes) -> None:
    """What is to be said of it meanwhile: its final answer follows."""
    db.execute("UPDATE command SET answer = ? WHERE id = ? AND signed = ? AND state = 'accepted'",
               (payload.decode(), ordered.id, ordered.signed))


def withdraw_health(db: sqlite3.Connection) -> None:
    """Take what they tell of health out of the answers, some of which may wait; in the caller's transaction."""
    db.execute("UPDATE command SET answer = json_remove(answer, '$.data.health', '$.data.cams') "
               "WHERE name IN ('diagnostics', 'pause.state')")


def unfinished(db: sqlite3.Connection) -> list[Ordered]:
    """What was accepted and has no final answer."""
    return _read(db, "state = 'accepted' ORDER BY n", KEPT_N)


def going_on(db: sqlite3.Connection) -> list[Ordered]:
    """Those of them that ask for pictures: their answer is what becomes of the request."""
    return _read(db, "state = 'accepted' AND id IN (SELECT id FROM request) ORDER BY n", KEPT_N)


def untold(db: sqlite3.Connection, limit_n: int) -> list[Ordered]:
    """Final answers that nobody has got, newest first: an asker who stays away must not hold up the others."""
    return _read(db, "told = 0 AND state != 'accepted' ORDER BY n DESC", limit_n)


def told(db: sqlite3.Connection, command_id: str) -> None:
    """Somebody gets its final answer: the broker's word."""
    db.execute("UPDATE command SET told = 1 WHERE id = ? AND state != 'accepted'", (command_id,))


def _read(db: sqlite3.Connection, which: str, limit_n: int) -> list[Ordered]:
    rows = sound(db, "command", f"SELECT * FROM command WHERE {which} LIMIT ?", (limit_n,))
    return [Ordered(row["id"], row["name"], row["asker"], row["state"], row["answer"].encode(), bool(row["signed"]),
                    row["who"], row["correlation"],
                    Instant(row["boot"], row["mono_ms"], row["wall_ms"], row["clock"])) for row in rows]


def _forget(db: sqlite3.Connection, now: Instant) -> None:
    """Within a boot the monotonic clock tells the age; across boots the wall clock, if both times are to be believed.
    """
    db.execute("DELETE FROM command WHERE boot = ? AND ? - mono_ms > ?", (now.boot, now.mono_ms, KEPT_MS))
    if boots.is_sure(db, now.boot, now.clock):
        db.execute(f"DELETE FROM command WHERE boot != ? AND {boots.SURE.format(t='command')} "
                   f"AND ? - {boots.DATED.format(t='command')} > ?", (now.boot, now.wall_ms, KEPT_MS))
    db.execute("DELETE FROM command WHERE n IN (SELECT n FROM command WHERE state != 'accepted' ORDER BY signed, n "
               "LIMIT MAX(0, (SELECT COUNT(*) FROM command) - ?))", (KEPT_N,))
