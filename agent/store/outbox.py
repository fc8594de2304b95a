"""Messages for the ward: written with the rows that they are about, deleted when the receipt names them.

Without a ward that the household has joined nothing is stored, nor is anything that the household withholds.
"""
import logging
import sqlite3
from collections.abc import Collection, Iterable, Sequence

from agent.core.contract import wire
from agent.core.delivery.outbox import BOUND_B, GIVES_WAY, QUARANTINE_KEPT_N, fold
from agent.core.household.labels import WORDS
from agent.host.clock import Clock, Instant
from agent.store import deferred, membership
from agent.store.database import transaction
from agent.store.row_check import sound

DOWN_TO = 0.9               # of the bound, so that it is not reached again at once
ROWS_A_ROUND = 500
ROW_B = 100                 # what a row takes beside its data, as `waiting` counts
ROUNDS_MAX = 20             # of writing to the card in one call
FIELDS = "seq, kind, camera, boot, mono_ms, wall_ms, clock, data"

_log = logging.getLogger(__name__)


def quarantined_n(db: sqlite3.Connection) -> int:
    return db.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0]


def append(db: sqlite3.Connection, kind: str, camera: str | None, when: Instant, data: bytes | str,
           motion: Sequence[int] | None = None) -> int | None:
    """Adds a message in the caller's transaction, so it exists exactly if its rows do. `motion` are the events of
    motion that it is about: if the ward only gets some labels, it waits for theirs. Returns its seq; None if it waits,
    or if the ward does not get it, in which case it is not stored.
    """
    if not membership.covers(db, kind, when.boot, when.mono_ms):
        return None
    text = data.decode() if isinstance(data, bytes) else data
    if motion is not None and (membership.only(db) or deferred.tells_of(db, motion)):
        deferred.add(db, motion, kind, camera, when, text)
        return None
    cursor = db.execute("INSERT INTO outbox (kind, camera, boot, mono_ms, wall_ms, clock, data) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (kind, camera, when.boot, when.mono_ms, when.wall_ms, when.clock, text))
    return cursor.lastrowid


def after(db: sqlite3.Connection, seq: int, limit: int) -> list[sqlite3.Row]:
    return sound(db, "outbox", f"SELECT {FIELDS} FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))


def seqs(db: sqlite3.Connection, first: int, last: int, limit: int) -> list[int]:
    rows = db.execute("SELECT seq FROM outbox WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (first, last, limit))
    return [row["seq"] for row in rows]


def settle(db: sqlite3.Connection, seqs: Iterable[int]) -> int:
    """Deletes messages that the receipt (or the broker, without a ward's ingest) confirms. Returns how many were known.
    """
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
    deferred.withdraw(db, kinds)
    stored = [*kinds, *(kind for kind, told_as in membership.HISTORY.items() if told_as in kinds)]
    for kind in stored:
        db.execute("DELETE FROM outbox WHERE kind = ?", (kind,))
        db.execute("DELETE FROM quarantine WHERE kind = ?", (kind,))
    if "motion" in kinds:
        db.execute("UPDATE outbox SET data = json_remove(data, '$.hours') WHERE kind = 'gap'")


def keep_only(db: sqlite3.Connection, words: Collection[str]) -> None:
    """Deletes waiting messages about motion with other labels, and of clips that show no other motion; in the caller's
    transaction.
    """
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
    """Makes the outbox smaller if it exceeds `bound_b`; messages up to `after_seq` are being sent and stay. Returns how
    many messages were replaced; repeated calls each do part of the work. Raises sqlite3.Error.
    """
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
    """Replaces the oldest messages by one gap message; returns how many it stands for, and the bytes gained."""
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
