"""Day keys: their public halves in the database, for whoever writes, and their private ones in files of the keeper's.

A row outlives its key: `gone` says that the key is destroyed, and that what was encrypted for it can't be read again.
"""
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from agent.host.clock import Instant

FOLDER = "days"
HOUSEHOLD = "household_key"         # in meta: the public half of the household's key, hex
COLUMNS = "id, public, boot, mono_ms, wall_ms, clock, for_household, gone"


@dataclass(frozen=True, slots=True)
class DayKey:
    """What the database knows of a day's key."""

    id: int
    public: bytes
    boot: str
    mono_ms: int
    wall_ms: int
    clock: str
    for_household: bytes | None     # the private half, wrapped for the household's key
    gone: bool


def private_file(keys: Path, day: int) -> Path:
    """Where the private half lies."""
    return keys / FOLDER / f"{day:06d}.key"


def newest(db: sqlite3.Connection) -> DayKey | None:
    """The one for which new files are encrypted; None before the keeper's first start."""
    row = db.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id DESC LIMIT 1").fetchone()
    return _key(row) if row else None


def get(db: sqlite3.Connection, day: int) -> DayKey | None:
    """The day's key, or None if there is no row of it."""
    row = db.execute(f"SELECT {COLUMNS} FROM day_key WHERE id = ?", (day,)).fetchone()
    return _key(row) if row else None


def living(db: sqlite3.Connection) -> list[DayKey]:
    """All that are not destroyed, oldest first: as many as there are days of footage."""
    return [_key(row) for row in db.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id")]


def unused(db: sqlite3.Connection) -> list[DayKey]:
    """Those but the newest for which nothing is encrypted any more, as far as the rows of clips and events tell."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM day_key WHERE NOT gone AND id < (SELECT MAX(id) FROM day_key WHERE NOT gone) "
        "AND id NOT IN (SELECT day_key FROM clip WHERE day_key IS NOT NULL AND state NOT IN ('deleted', 'lost')) "
        "AND id NOT IN (SELECT day_key FROM event WHERE day_key IS NOT NULL AND thumb IS NOT NULL) ORDER BY id")
    return [_key(row) for row in rows]


def next_id(db: sqlite3.Connection) -> int:
    """A number that no key of this database has had."""
    return db.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM day_key").fetchone()[0]


def add(db: sqlite3.Connection, day: int, public: bytes, now: Instant) -> None:
    """A key that is on the card. Within the caller's transaction."""
    db.execute("INSERT INTO day_key (id, public, boot, mono_ms, wall_ms, clock) VALUES (?, ?, ?, ?, ?, ?)",
               (day, public, now.boot, now.mono_ms, now.wall_ms, now.clock))


def put_for_household(db: sqlite3.Connection, day: int, wrapped: bytes | None) -> None:
    """Keep the private half as it was wrapped for the household."""
    db.execute("UPDATE day_key SET for_household = ? WHERE id = ?", (wrapped, day))


def bury(db: sqlite3.Connection, day: int) -> None:
    """The key is destroyed, with what the household could have opened it by. Within the caller's transaction."""
    db.execute("UPDATE day_key SET gone = 1, for_household = NULL WHERE id = ?", (day,))


def _key(row: sqlite3.Row) -> DayKey:
    return DayKey(*tuple(row)[:-1], gone=bool(row["gone"]))
