"""The days' keys as the keeper knows them. A row outlives its key: if `gone`, its files can never be read."""
import sqlite3
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.evidence.ledger.acts import HouseholdKeySet
from agent.host.clock import Instant
from agent.store import ledger, meta, outbox
from agent.store.database import transaction
from agent.store.encryption.file_keys import PublicDay

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
    row = own.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id DESC LIMIT 1").fetchone()
    return _key(row) if row else None


def living(own: sqlite3.Connection) -> list[DayKey]:
    return [_key(row) for row in own.execute(f"SELECT {COLUMNS} FROM day_key WHERE NOT gone ORDER BY id")]


def public(own: sqlite3.Connection) -> list[PublicDay]:
    return [PublicDay(key.id, key.public, key.for_household) for key in living(own)]


def in_use(db: sqlite3.Connection) -> set[int]:
    """Lists the keys that encrypt something, as far as the shared rows of clips and events say."""
    return {row[0] for row in db.execute(
        "SELECT day_key FROM clip WHERE day_key IS NOT NULL AND state NOT IN ('deleted', 'lost') "
        "UNION SELECT day_key FROM event WHERE day_key IS NOT NULL AND thumb IS NOT NULL")}


def next_id(own: sqlite3.Connection) -> int:
    return own.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM day_key").fetchone()[0]


def add(own: sqlite3.Connection, day: int, public: bytes, first_seq: int | None, now: Instant) -> None:
    own.execute("INSERT INTO day_key (id, public, first_seq, boot, mono_ms, wall_ms, clock) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)", (day, public, first_seq, now.boot, now.mono_ms, now.wall_ms, now.clock))


def household(own: sqlite3.Connection) -> bytes | None:
    key = meta.get(own, HOUSEHOLD)
    return bytes.fromhex(key) if key else None


def install_household(own: sqlite3.Connection, db: sqlite3.Connection, public: bytes, now: Instant) -> None:
    """Makes the device wrap all its day keys for this key, and for no other. Raises sqlite3.Error. Ledger and message
    are written first: after a power cut in between they name a key that opens nothing yet."""
    was = household(own)
    with transaction(own):
        meta.put(own, HOUSEHOLD, public.hex())
        own.execute("UPDATE day_key SET for_household = NULL")      # all keys have to be wrapped again
        with transaction(db):
            ledger.note(db, now, HouseholdKeySet(public=public.hex(), was=was.hex() if was else None))
            outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(code="household_key")))


def put_for_household(own: sqlite3.Connection, day: int, wrapped: bytes) -> None:
    own.execute("UPDATE day_key SET for_household = ? WHERE id = ?", (wrapped, day))


def bury(own: sqlite3.Connection, day: int) -> None:
    """Notes that the key is destroyed, and drops the household's copy. Within the caller's transaction."""
    own.execute("UPDATE day_key SET gone = 1, for_household = NULL WHERE id = ?", (day,))


def _key(row: sqlite3.Row) -> DayKey:
    return DayKey(*tuple(row)[:-1], gone=bool(row["gone"]))
