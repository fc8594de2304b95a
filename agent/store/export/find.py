"""Where clips lie on the line of time that they share, and of which cameras there are any.

The line is the wall clock's, in microseconds. Within a start of the machine its monotonic clock says how far apart
clips are; from one start to the next the wall clock does, and never back into what was recorded before.
"""
import sqlite3
from collections.abc import Sequence

from agent.store.clips import COLUMNS, Clip

LOST = "lost"               # the boot of clips whose rows were lost: each stands alone
SEEN = "camera = :camera AND state IN ('open', 'done', 'recovered')"


def recorded_ms(db: sqlite3.Connection, camera: str) -> tuple[int, int] | None:
    """Wall times of the camera's first and last footage; None if there is none."""
    row = db.execute(f"SELECT MIN(wall_ms) AS first, MAX(wall_ms + COALESCE(dur_ms, 0)) AS last "
                     f"FROM (SELECT {COLUMNS} FROM clip WHERE {SEEN})", {"camera": camera}).fetchone()
    return (row["first"], row["last"]) if row["first"] is not None else None


def cameras(db: sqlite3.Connection) -> list[str]:
    """Cameras of which there are clips."""
    return [row["camera"] for row in db.execute(
        "SELECT DISTINCT camera FROM clip WHERE state IN ('open', 'done', 'recovered') ORDER BY camera")]


def places_us(clips: Sequence[Clip]) -> list[int]:
    """Where each of these, in the order of recording, begins on the line."""
    shifts_ms: dict[str, int] = {}
    places: list[int] = []
    end_ms = 0
    for clip in clips:
        if clip.boot == LOST or clip.boot not in shifts_ms:
            shifts_ms[clip.boot] = max(clip.wall_ms, end_ms) - clip.mono_ms
        begin_ms = shifts_ms[clip.boot] + clip.mono_ms
        places.append(begin_ms * 1000)
        end_ms = max(end_ms, begin_ms + (clip.dur_ms or 0))
    return places
