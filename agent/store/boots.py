"""The machine's starts, and the dating of what was stored before its clock was right."""
import sqlite3

# The wall time of a row: by its boot's offset once the clock was right in that boot, else as it was stored.
DATED = "COALESCE((SELECT offset_ms FROM boot WHERE boot.id = {t}.boot) + {t}.mono_ms, {t}.wall_ms)"


def remember(db: sqlite3.Connection, boot: str) -> None:
    """Note that the machine has started; harmless when repeated."""
    db.execute("INSERT OR IGNORE INTO boot (id) VALUES (?)", (boot,))


def date(db: sqlite3.Connection, boot: str, offset_ms: int) -> None:
    """Date all rows of `boot`: wall time = monotonic time + `offset_ms`, known since the clock is right."""
    db.execute("INSERT INTO boot (id, offset_ms) VALUES (?, ?) "
               "ON CONFLICT (id) DO UPDATE SET offset_ms = excluded.offset_ms", (boot, offset_ms))


def offset_ms(db: sqlite3.Connection, boot: str) -> int | None:
    """The boot's offset, or None while its clock was never right."""
    row = db.execute("SELECT offset_ms FROM boot WHERE id = ?", (boot,)).fetchone()
    return row["offset_ms"] if row else None
