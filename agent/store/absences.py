"""Times in which a camera gave nothing to record, as they happened: it was paused, or it sent no picture.

What is told to the ward goes when its receipt comes; these rows stay, so that a day can be told long after.
"""
import sqlite3

from agent.host.clock import Instant, at

CAMERA = "camera"           # why: it sent no picture; else by whose word it was paused (core.household.pause.By)
ROWS_MAX = 20_000


def began(db: sqlite3.Connection, camera: str, why: str, start: Instant) -> None:
    """The camera gives nothing from `start` on. Within the caller's transaction."""
    db.execute("INSERT INTO absence (camera, why, boot, mono_ms, wall_ms, clock) VALUES (?, ?, ?, ?, ?, ?)",
               (camera, why, start.boot, start.mono_ms, start.wall_ms, start.clock))


def ended(db: sqlite3.Connection, camera: str, why: str, now: Instant) -> bool:
    """It gives again as far as this goes; returns whether an absence was open. Within the caller's transaction."""
    return bool(db.execute(
        "UPDATE absence SET dur_ms = MAX(0, CASE WHEN boot = :boot THEN :mono_ms - mono_ms ELSE :wall_ms - wall_ms END)"
        " WHERE camera = :camera AND why = :why AND dur_ms IS NULL AND n IN "
        "(SELECT n FROM absence WHERE camera = :camera ORDER BY n DESC LIMIT 8)",
        {"camera": camera, "why": why, "boot": now.boot, "mono_ms": now.mono_ms, "wall_ms": now.wall_ms}).rowcount)


def note_camera(db: sqlite3.Connection, camera: str, gap_s: float, over: bool, now: Instant) -> None:
    """It has sent no picture for `gap_s` seconds, and that is `over` or goes on. Within the caller's transaction."""
    if over and ended(db, camera, CAMERA, now):
        return
    began(db, camera, CAMERA, at(now, now.mono_ms - round(gap_s * 1000)))
    if over:
        ended(db, camera, CAMERA, now)


def forget(db: sqlite3.Connection, keep_n: int = ROWS_MAX) -> None:
    """Drop all but the newest `keep_n`."""
    db.execute("DELETE FROM absence WHERE n <= (SELECT MAX(n) FROM absence) - ?", (keep_n,))
