"""The days' keys as the keeper knows them. A row outlives its key: `gone` says that what it opened can't be read again.
"""
import sqlite3
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.evidence.ledger import HouseholdKeySet
from agent.host.clock import Instant
from agent.store import ledger, meta, outbox
from agent.store.database import transaction
from agent.store.encryption.days import PublicDay

HOUSEHOLD = "household_key"         # in meta: the public half of the household's key, hex
COLUMNS = "id, public, boot, mono_ms, wall_ms, clock, first_seq, for_household, gone"


@dataclass(frozen=True, slots=True)
class DayKey:
    """One day's key."""

    id: int
    public: bytes
    boot: str
    mono_ms: int
    wall_ms: int
    clock: str
    first_seq: int | None           # no clip with a lower number is encrypted for it
    for_household: bytes | None     # the private half, wrapped for the household's key
    gone: bool


def newest(own: sqlite3.Connection) -> DayKey | None:
    """The one for which new files are encrypted; None before the keeper's first start."""
    row = own.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id DESC LIMIT 1").fetchone()
    return _key(row) if row else None


def get(own: sqlite3.Connection, day: int) -> DayKey | None:
    """The day's key, or None if there is no row of it."""
    row = own.execute(f"SELECT {COLUMNS} FROM day_key WHERE id = ?", (day,)).fetchone()
    return _key(row) if row else None


def living(own: sqlite3.Connection) -> list[DayKey]:
    """All that are not destroyed, oldest first: as many as there are days of footage."""
    return [_key(row) for row in own.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id")]


def public(own: sqlite3.Connection) -> list[PublicDay]:
    """The living ones as everybody may know them."""
    return [PublicDay(key.id, key.public, key.for_household) for key in living(own)]


def in_use(db: sqlite3.Connection) -> set[int]:
    """The keys for which something is encrypted, as far as the shared rows of clips and events tell."""
    return {row[0] for row in db.execute(
        "SELECT day_key FROM clip WHERE day_key IS NOT NULL AND state NOT IN ('deleted', 'lost') "
        "UNION SELECT day_key FROM event WHERE day_key IS NOT NULL AND thumb IS NOT NULL")}


def next_id(own: sqlite3.Connection) -> int:
    """A number that no key of this database has had."""
    return own.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM day_key").fetchone()[0]


def add(own: sqlite3.Connection, day: int, public: bytes, first_seq: int | None, now: Instant) -> None:
    """A key that is on the card. Within the caller's transaction."""
    own.execute("INSERT INTO day_key (id, public, first_seq, boot, mono_ms, wall_ms, clock) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)", (day, public, first_seq, now.boot, now.mono_ms, now.wall_ms, now.clock))


def household(own: sqlite3.Connection) -> bytes | None:
    """The public half of the household's key; None where it has none."""
    key = meta.get(own, HOUSEHOLD)
    return bytes.fromhex(key) if key else None


def _put_household(own: sqlite3.Connection, key: bytes) -> None:
    """Have all living keys be wrapped for this one, and for no other. Within the caller's transaction."""
    meta.put(own, HOUSEHOLD, key.hex())
    own.execute("UPDATE day_key SET for_household = NULL")


def install_household(own: sqlite3.Connection, db: sqlite3.Connection, public: bytes, now: Instant) -> None:
    """Have the device wrap all its days' keys for this one from now on, and for no other. Raises sqlite3.Error.

    The ledger and the ward are told first: a cut in between tells of a key that opens nothing yet.
    """
    was = household(own)
    with transaction(own):
        _put_household(own, public)
        with transaction(db):
            ledger.note(db, now, HouseholdKeySet(public=public.hex(), was=was.hex() if was else None))
            outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(code="household_key")))


def put_for_household(own: sqlite3.Connection, day: int, wrapped: bytes) -> None:
    """Keep the private half as it was wrapped for the household."""
    own.execute("UPDATE day_key SET for_household = ? WHERE id = ?", (wrapped, day))


def bury(own: sqlite3.Connection, day: int) -> None:
    """The key is destroyed, with what the household could have opened it by. Within the caller's transaction."""
    own.execute("UPDATE day_key SET gone = 1, for_household = NULL WHERE id = ?", (day,))


def _key(row: sqlite3.Row) -> DayKey:
    return DayKey(*tuple(row)[:-1], gone=bool(row["gone"]))
