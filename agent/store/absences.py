"""Times without recordings: a camera was paused or sent no picture, or the recorder was off.

The messages about it leave the outbox once the ward has them. These rows stay, so that a page can show the day later.
"""
import sqlite3

from agent.host.clock import Instant, at

CAMERA = "camera"           # reason: it sent no picture; all others say who paused it (core.household.pause.By)
ROWS_MAX = 20_000
LIVES_MAX = 2_000


def began(db: sqlite3.Connection, camera: str, why: str, start: Instant) -> None:
    """Notes that the camera gives nothing from `start` on. Within the caller's transaction."""
    db.execute("INSERT INTO absence (camera, why, boot, mono_ms, wall_ms, clock) VALUES (?, ?, ?, ?, ?, ?)",
               (camera, why, start.boot, start.mono_ms, start.wall_ms, start.clock))


def ended(db: sqlite3.Connection, camera: str, why: str, now: Instant) -> bool:
    """Ends the absence for this reason; returns whether one was open. Within the caller's transaction."""
    return bool(db.execute(
        "UPDATE absence SET dur_ms = MAX(0, CASE WHEN boot = :boot THEN :mono_ms - mono_ms ELSE :wall_ms - wall_ms END)"
        " WHERE camera = :camera AND why = :why AND dur_ms IS NULL AND n IN "
        "(SELECT n FROM absence WHERE camera = :camera ORDER BY n DESC LIMIT 8)",
        {"camera": camera, "why": why, "boot": now.boot, "mono_ms": now.mono_ms, "wall_ms": now.wall_ms}).rowcount)


def note_camera(db: sqlite3.Connection, camera: str, gap_s: float, over: bool, now: Instant) -> None:
    """Notes that it has sent no picture for `gap_s` seconds; `over`: now it does. Within the caller's transaction."""
    if over and ended(db, camera, CAMERA, now):
        return
    began(db, camera, CAMERA, at(now, now.mono_ms - round(gap_s * 1000)))
    if over:
        ended(db, camera, CAMERA, now)


def forget(db: sqlite3.Connection, keep_n: int = ROWS_MAX) -> None:
    db.execute("DELETE FROM absence WHERE n <= (SELECT MAX(n) FROM absence) - ?", (keep_n,))


def begin_life(db: sqlite3.Connection, now: Instant) -> int:
    """Notes a start of the keeper, which runs whenever cameras record; returns the number of its row."""
    number = db.execute("INSERT INTO life (boot, mono_ms, wall_ms, clock, last_mono_ms) VALUES (?, ?, ?, ?, ?)",
                        (now.boot, now.mono_ms, now.wall_ms, now.clock, now.mono_ms)).lastrowid
    assert number is not None
    db.execute("DELETE FROM life WHERE n <= ? - ?", (number, LIVES_MAX))
    return number


def extend_life(db: sqlite3.Connection, number: int, now: Instant) -> bool:
    """Notes that the keeper still runs. Returns False if its row is gone, as after the repair of a database."""
    return bool(db.execute("UPDATE life SET last_mono_ms = ? WHERE n = ? AND boot = ?",
                           (now.mono_ms, number, now.boot)).rowcount)
