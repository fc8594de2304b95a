"""Messages about motion that wait until it is known what moved: of people and vehicles alone a ward may be told.

They get no number in the outbox before they go, so that none is missing there for those that never do.
"""
import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.host.clock import Instant

OUTBOX = "kind, camera, boot, mono_ms, wall_ms, clock, data"


@dataclass(frozen=True, slots=True)
class DeferredMessage:
    """One of them."""

    n: int
    kind: str
    events: list[int]           # what it tells of


def add(db: sqlite3.Connection, events: Sequence[int], kind: str, camera: str | None, when: Instant, data: str) -> None:
    """Have a message wait. Within the caller's transaction."""
    db.execute(f"INSERT INTO deferred (events, {OUTBOX}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               (json.dumps(events), kind, camera, when.boot, when.mono_ms, when.wall_ms, when.clock, data))


def tells_of(db: sqlite3.Connection, events: Sequence[int]) -> bool:
    """Whether something of these events waits already."""
    return db.execute("SELECT 1 FROM deferred, json_each(deferred.events) WHERE json_each.value IN "
                      "(SELECT value FROM json_each(?))", (json.dumps(events),)).fetchone() is not None


def oldest(db: sqlite3.Connection, after_n: int, limit: int) -> list[DeferredMessage]:
    """The oldest behind `after_n`."""
    rows = db.execute("SELECT n, kind, events FROM deferred WHERE n > ? ORDER BY n LIMIT ?", (after_n, limit))
    return [DeferredMessage(row["n"], row["kind"], json.loads(row["events"])) for row in rows]


def release(db: sqlite3.Connection, message: DeferredMessage, told: Sequence[int]) -> None:
    """Have a message go to the ward, a clip's with those of its events that are `told`."""
    data = "json_set(data, '$.events', json(:told))" if message.kind == "clip" else "data"
    db.execute(f"INSERT INTO outbox ({OUTBOX}) SELECT {OUTBOX.removesuffix('data')} {data} FROM deferred WHERE n = :n",
               {"n": message.n, "told": json.dumps(told)})
    drop(db, message)


def drop(db: sqlite3.Connection, message: DeferredMessage) -> None:
    """Nobody is told."""
    db.execute("DELETE FROM deferred WHERE n = ?", (message.n,))


def withdraw(db: sqlite3.Connection, kinds: Collection[str]) -> None:
    """Forget what waits of these kinds."""
    db.executemany("DELETE FROM deferred WHERE kind = ?", ((kind,) for kind in kinds))
