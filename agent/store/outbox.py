"""Messages for the ward: written with the rows that they are about, deleted when the receipt names them.

Without a ward that the household has joined nothing is stored, nor is anything that the household withholds. Messages
about motion may wait for labels, because the ward may only get people and vehicles.
"""
import json
import logging
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.contract import wire
from agent.core.delivery.outbox import BOUND_B, GIVES_WAY, QUARANTINE_KEPT_N, fold
from agent.core.household.labels import WORDS
from agent.core.household.notifications import of_people
from agent.host.clock import Clock, Instant
from agent.store import membership, notify
from agent.store.database import transaction
from agent.store.row_check import sound

DOWN_TO = 0.9               # of the bound, so that it is not reached again soon
ROWS_A_ROUND = 500
ROW_B = 100                 # of a row beside its data, as `waiting` counts
ROUNDS_MAX = 20             # per call
MESSAGE = "kind, camera, boot, mono_ms, wall_ms, clock, data"
FIELDS = f"seq, {MESSAGE}"
BATCH_N = 200               # deferred messages a transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeferredMessage:
    """A message about motion that waits for the labels of these events; it gets its number when it leaves."""

    n: int
    kind: str
    events: list[int]


class Settled(NamedTuple):
    """What became of the deferred messages."""

    released_n: int = 0
    dropped_n: int = 0
    left_n: int = 0


def quarantined_n(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0]


def append(db: sqlite3.Connection, kind: str, camera: str | None, when: Instant, data: bytes | str,
           motion: Sequence[int] | None = None) -> int | None:
    """Adds a message in the caller's transaction, so it exists exactly if its rows do. `motion` are the events of
    motion that it is about: if the ward only gets some labels, it waits for theirs. Returns its seq; None if it waits,
    or if the ward does not get it, in which case it is not stored."""
    if not membership.covers(db, kind, when.boot, when.mono_ms):
        return None
    text = data.decode() if isinstance(data, bytes) else data
    if motion is not None and (membership.only(db) or _are_deferred(db, motion)):
        defer(db, kind, camera, when, text, events=motion)
        return None
    return db.execute(f"INSERT INTO outbox ({MESSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      (kind, camera, when.boot, when.mono_ms, when.wall_ms, when.clock, text)).lastrowid


def defer(db: sqlite3.Connection, kind: str, camera: str | None, when: Instant, data: str, *,
          events: Sequence[int]) -> None:
    """Makes a message wait for the labels of these events. Within the caller's transaction."""
    db.execute(f"INSERT INTO deferred ({MESSAGE}, events) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               (kind, camera, when.boot, when.mono_ms, when.wall_ms, when.clock, data, json.dumps(events)))


def _are_deferred(db: sqlite3.Connection, events: Sequence[int]) -> bool:
    return db.execute("SELECT 1 FROM (SELECT events FROM deferred WHERE json_valid(events)) AS waiting, "
                      "json_each(waiting.events) WHERE json_each.value IN "
                      "(SELECT value FROM json_each(?))", (json.dumps(events),)).fetchone() is not None


def oldest_deferred(db: sqlite3.Connection, after_n: int, limit: int) -> list[DeferredMessage]:
    rows = sound(db, "deferred", f"SELECT n, events, {MESSAGE} FROM deferred WHERE n > ? ORDER BY n LIMIT ?",
                 (after_n, limit))
    return [DeferredMessage(row["n"], row["kind"], json.loads(row["events"])) for row in rows]


def settle_deferred(db: sqlite3.Connection, now: Instant) -> Settled:
    """Releases or drops all messages whose events have a label, or will get none. Raises sqlite3.Error."""
    released_n = dropped_n = left_n = after_n = 0
    while batch := oldest_deferred(db, after_n, BATCH_N):
        after_n = batch[-1].n
        sendable = [(message, _sendable(db, message, now)) for message in batch]
        with transaction(db):
            for message, events in sendable:
                if events:
                    _release(db, message, events)
                if events is not None:
                    db.execute("DELETE FROM deferred WHERE n = ?", (message.n,))
        released_n += sum(bool(events) for _, events in sendable)
        dropped_n += sum(events == [] for _, events in sendable)
        left_n += sum(events is None for _, events in sendable)
    return Settled(released_n, dropped_n, left_n)


def _sendable(db: sqlite3.Connection, message: DeferredMessage, now: Instant) -> list[int] | None:
    """Returns the events that let the message go: [] drops it, None keeps it. A lost event counts as labelled."""
    seen = {number: notify.seen(db, number, now) for number in message.events}
    named = of_people(event for event in seen.values() if event)
    return None if named is None else [number for number, event in seen.items() if event is None or number in named]


def _release(db: sqlite3.Connection, message: DeferredMessage, events: Sequence[int]) -> None:
    data = "json_set(data, '$.events', json(:events))" if message.kind == "clip" else "data"
    columns = MESSAGE.removesuffix("data")
    db.execute(f"INSERT INTO outbox ({MESSAGE}) SELECT {columns} {data} FROM deferred WHERE n = :n",
               {"n": message.n, "events": json.dumps(events)})


def after(db: sqlite3.Connection, seq: int, limit: int) -> list[sqlite3.Row]:
    return sound(db, "outbox", f"SELECT {FIELDS} FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))


def seqs(db: sqlite3.Connection, first: int, last: int, limit: int) -> list[int]:
    rows = db.execute("SELECT seq FROM outbox WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (first, last, limit))
    return [row["seq"] for row in rows]


def settle(db: sqlite3.Connection, seqs: Iterable[int]) -> int:
    """Deletes messages that the receipt (or the broker, without a ward's ingest) confirms. Returns their number."""
    cursor = db.executemany("DELETE FROM outbox WHERE seq = ?", ((seq,) for seq in seqs))
    return cursor.rowcount


def quarantine(db: sqlite3.Connection, seq: int, code: str) -> None:
    """Sets aside a message that nothing accepts, so that it does not block later ones."""
    db.execute("INSERT OR IGNORE INTO quarantine (seq, kind, code, data) "
               "SELECT seq, CAST(kind AS TEXT), ?, CAST(data AS TEXT) FROM outbox WHERE seq = ?", (code, seq))
    db.execute("DELETE FROM outbox WHERE seq = ?", (seq,))


def empty(db: sqlite3.Connection) -> None:
    """Deletes all waiting and quarantined messages; in the caller's transaction. No number is used again."""
    for table in ("outbox", "deferred", "quarantine"):
        db.execute(f"DELETE FROM {table}")


def withdraw(db: sqlite3.Connection, kinds: Collection[str]) -> None:
    """Deletes waiting messages of these kinds of the contract, and sums of them; in the caller's transaction."""
    db.executemany("DELETE FROM deferred WHERE kind = ?", ((kind,) for kind in kinds))
    stored = [*kinds, *(kind for kind, told_as in membership.HISTORY.items() if told_as in kinds)]
    for kind in stored:
        db.execute("DELETE FROM outbox WHERE kind = ?", (kind,))
        db.execute("DELETE FROM quarantine WHERE kind = ?", (kind,))
    if "motion" in kinds:
        db.execute("UPDATE outbox SET data = json_remove(data, '$.hours') WHERE kind = 'gap'")


def keep_only(db: sqlite3.Connection, words: Collection[str]) -> None:
    """Deletes waiting messages about motion with other labels only; in the caller's transaction."""
    unwanted = [word for word in WORDS if word not in words]
    marks = ", ".join("?" * len(unwanted))
    db.execute("DELETE FROM outbox WHERE kind IN ('motion', 'label') AND json_extract(data, '$.event') IN "
               f"(SELECT id FROM event WHERE label IN ({marks}))", unwanted)
    db.execute("DELETE FROM outbox WHERE kind = 'clip' AND NOT EXISTS "
               "(SELECT 1 FROM json_each(data, '$.events') WHERE value NOT IN "
               f"(SELECT id FROM event WHERE label IN ({marks})))", unwanted)


def waiting(db: sqlite3.Connection) -> tuple[int, int, int | None]:
    """Returns how many messages wait, their bytes, and the oldest one's seq."""
    row = db.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(data) + 100), 0), MIN(seq) FROM outbox").fetchone()
    return row[0], row[1], row[2]


def next_seq(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return (row["seq"] if row else 0) + 1


def keep(db: sqlite3.Connection, clock: Clock, after_seq: int, bound_b: int = BOUND_B) -> int:
    """Replaces messages after `after_seq` by counts if they exceed `bound_b`, in several calls; returns how many."""
    if quarantined_n(db) > QUARANTINE_KEPT_N:
        with transaction(db):
            db.execute("DELETE FROM quarantine WHERE seq NOT IN "
                       "(SELECT seq FROM quarantine ORDER BY seq DESC LIMIT ?)", (QUARANTINE_KEPT_N,))
    size_b, folded_n = waiting(db)[1], 0
    if size_b <= bound_b:
        return 0
    for _ in range(ROUNDS_MAX):
        count, freed_b = _fold_once(db, clock, after_seq)
        folded_n, size_b = folded_n + count, size_b - freed_b
        if count == 0 or size_b <= DOWN_TO * bound_b:
            break
    _log.warning("the outbox is full: %d messages gave way to a count of them; is the ward reachable?", folded_n)
    return folded_n


def _fold_once(db: sqlite3.Connection, clock: Clock, after_seq: int) -> tuple[int, int]:
    for kind in GIVES_WAY:
        rows = sound(db, "outbox", f"SELECT {FIELDS} FROM outbox WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
                     (kind, after_seq, ROWS_A_ROUND))
        if entries := [wire.Entry(*row) for row in rows]:
            gap, count = fold(entries)
            gone, data = entries[:count], wire.encode(gap)
            with transaction(db):
                settle(db, [entry.seq for entry in gone])
                append(db, "gap", None, clock.now(), data)
            return count, sum(len(entry.data) + ROW_B for entry in gone) - len(data) - ROW_B
    return 0, 0
