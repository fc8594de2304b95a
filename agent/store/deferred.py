"""Messages about motion that wait for the labels of their events, because the ward may only get people and vehicles.

They get their numbers in the outbox when they leave, so dropped ones leave no gap there.
"""
import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.household.notifications import of_people
from agent.host.clock import Instant
from agent.store import notify
from agent.store.database import transaction
from agent.store.row_check import sound

BATCH_N = 200
OUTBOX = "kind, camera, boot, mono_ms, wall_ms, clock, data"


@dataclass(frozen=True, slots=True)
class DeferredMessage:
    n: int
    kind: str
    events: list[int]           # what it tells of


class Settled(NamedTuple):
    """What became of the waiting messages."""

    released_n: int = 0
    dropped_n: int = 0
    left_n: int = 0


def add(db: sqlite3.Connection, events: Sequence[int], kind: str, camera: str | None, when: Instant, data: str) -> None:
    db.execute(f"INSERT INTO deferred (events, {OUTBOX}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               (json.dumps(events), kind, camera, when.boot, when.mono_ms, when.wall_ms, when.clock, data))


def tells_of(db: sqlite3.Connection, events: Sequence[int]) -> bool:
    return db.execute("SELECT 1 FROM (SELECT events FROM deferred WHERE json_valid(events)) AS waiting, "
                      "json_each(waiting.events) WHERE json_each.value IN "
                      "(SELECT value FROM json_each(?))", (json.dumps(events),)).fetchone() is not None


def oldest(db: sqlite3.Connection, after_n: int, limit: int) -> list[DeferredMessage]:
    rows = sound(db, "deferred", f"SELECT n, events, {OUTBOX} FROM deferred WHERE n > ? ORDER BY n LIMIT ?",
                 (after_n, limit))
    return [DeferredMessage(row["n"], row["kind"], json.loads(row["events"])) for row in rows]


def release(db: sqlite3.Connection, message: DeferredMessage, told: Sequence[int]) -> None:
    """Sends a message to the ward. That of a clip names only the events in `told`."""
    data = "json_set(data, '$.events', json(:told))" if message.kind == "clip" else "data"
    db.execute(f"INSERT INTO outbox ({OUTBOX}) SELECT {OUTBOX.removesuffix('data')} {data} FROM deferred WHERE n = :n",
               {"n": message.n, "told": json.dumps(told)})
    drop(db, message)


def drop(db: sqlite3.Connection, message: DeferredMessage) -> None:
    db.execute("DELETE FROM deferred WHERE n = ?", (message.n,))


def withdraw(db: sqlite3.Connection, kinds: Collection[str]) -> None:
    db.executemany("DELETE FROM deferred WHERE kind = ?", ((kind,) for kind in kinds))


def settle(db: sqlite3.Connection, now: Instant) -> Settled:
    """Releases or drops all messages whose events have a label, or will get none. Raises sqlite3.Error."""
    settled, after_n = Settled(), 0
    while batch := oldest(db, after_n, BATCH_N):
        after_n = batch[-1].n
        told = [(message, _told(db, message, now)) for message in batch]
        with transaction(db):
            for message, events in told:
                if events:
                    release(db, message, events)
                elif events is not None:
                    drop(db, message)
        settled = Settled(settled.released_n + sum(bool(events) for _, events in told),
                          settled.dropped_n + sum(events == [] for _, events in told),
                          settled.left_n + sum(events is None for _, events in told))
    return settled


def _told(db: sqlite3.Connection, message: DeferredMessage, now: Instant) -> list[int] | None:
    """Returns the events that let the message go. An empty list drops it; None keeps it waiting. A lost event counts as
    labelled.
    """
    seen = {number: notify.seen(db, number, now) for number in message.events}
    named = of_people(event for event in seen.values() if event)
    return None if named is None else [number for number, event in seen.items() if event is None or number in named]
