"""Erasing on the household's word: at once and for good, as far as a card lets go of anything.

The rows are condemned here, and from that moment nobody is shown the clips; the keeper removes the files, and the keys
of days of which nothing is left.
"""
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from agent.host.clock import Instant
from agent.store import clips
from agent.store.clips import COLUMNS, FINISHED, UNFINISHED, Clip
from agent.store.database import transaction

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


def condemn(db: sqlite3.Connection, doomed: Sequence[Clip], now: Instant) -> None:
    """Let these clips go; holds on them go, too. Raises sqlite3.Error."""
    for start in range(0, len(doomed), BATCH_N):
        seqs = [clip.seq for clip in doomed[start:start + BATCH_N]]
        with transaction(db):
            db.executemany("DELETE FROM hold WHERE clip = ?", ((seq,) for seq in seqs))
            clips.condemn(db, seqs, WHY, now)


def pending(db: sqlite3.Connection) -> bool:
    """Whether something is erased whose files are still there."""
    return db.execute(f"SELECT 1 FROM clip WHERE state = 'deleting' AND {UNFINISHED} AND why = ? LIMIT 1",
                      (WHY,)).fetchone() is not None


def left_n(db: sqlite3.Connection, erased: Sequence[Clip]) -> int:
    """How many of them still have files."""
    deleting = {row["seq"] for row in db.execute(f"SELECT seq FROM clip WHERE state = 'deleting' AND {UNFINISHED}")}
    return sum(clip.seq in deleting for clip in erased)
