"""Erasing at the household's order: the clips' rows are condemned here, which hides them at once. The keeper

then removes the files, and the keys of days without any other file.
"""
import json
import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from agent.host.clock import Instant
from agent.store import events, holds
from agent.store.bound import is_named
from agent.store.clips import UNFINISHED, Clip, cameras, reaching_into
from agent.store.database import transaction
from agent.store.decisions import condemned

WHY = condemned.ERASED
BATCH_N = 200               # clips per transaction, so that no recorder waits long


class Erasable(NamedTuple):
    """What a range holds."""

    free: list[Clip]
    held: list[Clip]        # on hold
    open_n: int             # still being recorded


def find(db: sqlite3.Connection, camera: str | None, begin_ms: int, end_ms: int) -> Erasable:
    asked = cameras(db) if camera is None else [camera]
    found = sorted((clip for name in asked for clip in reaching_into(db, name, begin_ms, end_ms) if is_named(clip)),
                   key=lambda clip: clip.seq)
    held = {row["clip"] for row in db.execute("SELECT clip FROM hold")}
    finished = [clip for clip in found if clip.state != "open"]
    return Erasable([clip for clip in finished if clip.seq not in held],
                    [clip for clip in finished if clip.seq in held], len(found) - len(finished))


def digest(doomed: Iterable[Clip]) -> str:
    """SHA-256 (hex) of the clips' names, by which a later choice of other clips is noticed."""
    return sha256("\n".join(sorted(clip.name for clip in doomed)).encode()).hexdigest()


def events_of(db: sqlite3.Connection, doomed: Iterable[Clip]) -> list[int]:
    return sorted({event for clip in doomed for event in events.of_clip(db, clip.seq)})


def keys_n(db: sqlite3.Connection, doomed: Iterable[Clip]) -> int:
    """Counts the day keys that only these clips need, and that go with them."""
    rows = db.execute("SELECT day_key, SUM(seq IN (SELECT value FROM json_each(?))) AS doomed_n, COUNT(*) AS all_n "
                      "FROM clip WHERE day_key IS NOT NULL AND state NOT IN ('deleted', 'lost') GROUP BY day_key",
                      (json.dumps([clip.seq for clip in doomed]),))
    return sum(row["doomed_n"] == row["all_n"] for row in rows)


def condemn(own: sqlite3.Connection, db: sqlite3.Connection, doomed: Sequence[Clip], now: Instant) -> None:
    for start in range(0, len(doomed), BATCH_N):
        batch = doomed[start:start + BATCH_N]
        with transaction(own):
            holds.forget(own, [clip.name for clip in batch])
        holds.show(own, db, now)
        db.executemany("DELETE FROM hold WHERE clip = ?", ((clip.seq,) for clip in batch))
        condemned.condemn(own, db, [clip.name for clip in batch], WHY, now)


def left_n(db: sqlite3.Connection, erased: Sequence[Clip]) -> int:
    deleting = {row["seq"] for row in db.execute(f"SELECT seq FROM clip WHERE state = 'deleting' AND {UNFINISHED}")}
    return sum(clip.seq in deleting for clip in erased)
