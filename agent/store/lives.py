"""Lives of the keeper. It lives whenever cameras are recorded, so between two of its lives nothing was."""
import sqlite3

from agent.host.clock import Instant

ROWS_MAX = 2_000


def begin(db: sqlite3.Connection, now: Instant) -> int:
    """A life begins; returns its number."""
    number = db.execute("INSERT INTO life (boot, mono_ms, wall_ms, clock, last_mono_ms) VALUES (?, ?, ?, ?, ?)",
                        (now.boot, now.mono_ms, now.wall_ms, now.clock, now.mono_ms)).lastrowid
    assert number is not None
    db.execute("DELETE FROM life WHERE n <= ? - ?", (number, ROWS_MAX))
    return number


def go_on(db: sqlite3.Connection, number: int, now: Instant) -> bool:
    """That life goes on; returns whether its row is there, which a mended database may have lost."""
    return bool(db.execute("UPDATE life SET last_mono_ms = ? WHERE n = ? AND boot = ?",
                           (now.mono_ms, number, now.boot)).rowcount)
