"""Erasing on the household's word: at once and for good, as far as a card lets go of anything.

The rows are condemned here, and from that moment nobody is shown the clips; the keeper removes the files, and the keys
of days of which nothing is left.
"""
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from agent.host.clock import Instant
from agent.store import holds
from agent.store.clips import COLUMNS, FINISHED, UNFINISHED, Clip
from agent.store.database import transaction
from agent.store.decisions import condemned

WHY = "erased"
BATCH_N = 200               # clips a transaction, so that a recorder waits for none for long


class Erasable(NamedTuple):
    """What a range holds."""

    free: list[Clip]
    held: list[Clip]        # somebody has put a hold on them
    open_n: int             # being recorded now


def find(db: sqlite3.Connection, camera: str | None, begin_ms: int, end_ms: int) -> Erasable:
    """The clips of one camera, or of all, with footage between these wall times."""
    where = "(:camera IS NULL OR camera = :camera) AND wall_ms < :end AND COALESCE(wall_ms + dur_ms, :end) > :begin"
    values = {"camera": camera, "begin": begin_ms, "end": end_ms}
    source = f"SELECT {COLUMNS} FROM clip"
    rows = db.execute(f"SELECT * FROM ({source} WHERE {FINISHED}) WHERE {where} ORDER BY seq", values).fetchall()
    held = {row["clip"] for row in db.execute("SELECT clip FROM hold")}
    found = [Clip(**row) for row in rows]
    open_n = db.execute(f"SELECT COUNT(*) FROM ({source} WHERE state = 'open' AND {UNFINISHED}) WHERE {where}",
                        values).fetchone()[0]
    return Erasable([clip for clip in found if clip.seq not in held],
                    [clip for clip in found if clip.seq in held], open_n)


def condemn(own: sqlite3.Connection, db: sqlite3.Connection, doomed: Sequence[Clip], now: Instant) -> None:
    """Let these clips go; holds on them go, too. Raises sqlite3.Error."""
    for start in range(0, len(doomed), BATCH_N):
        batch = doomed[start:start + BATCH_N]
        with transaction(own):
            holds.forget(own, [clip.name for clip in batch])
        holds.show(own, db, now)
        db.executemany("DELETE FROM hold WHERE clip = ?", ((clip.seq,) for clip in batch))
        condemned.condemn(own, db, [clip.name for clip in batch], WHY, now)


def left_n(db: sqlite3.Connection, erased: Sequence[Clip]) -> int:
    """How many of them still have files."""
    deleting = {row["seq"] for row in db.execute(f"SELECT seq FROM clip WHERE state = 'deleting' AND {UNFINISHED}")}
    return sum(clip.seq in deleting for clip in erased)
