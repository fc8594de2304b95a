"""Whether the household has joined a ward, and since when: nothing is kept for a ward that it has not joined.

One row in `meta`: of the keeper's own database, where it counts, and of the shared one, where the other roles see it.
"""
import contextlib
import sqlite3

from msgspec import DecodeError, Struct, json

from agent.store import boots, meta

KEY = "joined"
LEFT = ""               # the row's value once the household has left its ward


class Membership(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The ward, and what was agreed to; of what began before that moment nothing is told."""

    ward: str
    text: int = 0                   # as in core.evidence.ledger.Agreed, like the next two
    told: list[str] = []
    by: str = ""
    boot: str = ""
    mono_ms: int = 0


def read(db: sqlite3.Connection) -> Membership | None:
    """The present one; None where there is none, or where somebody has spoiled the row."""
    with contextlib.suppress(DecodeError):
        return json.decode(meta.get(db, KEY) or "null", type=Membership | None)
    return None


def has_left(db: sqlite3.Connection) -> bool:
    """Whether the household was in a ward, and is in none now. A database without the row can't tell."""
    return meta.get(db, KEY) == LEFT


def put(db: sqlite3.Connection, now: Membership | None) -> None:
    """Note it, or that the household has left; in the caller's transaction."""
    meta.put(db, KEY, json.encode(now).decode() if now else LEFT)


def covers(db: sqlite3.Connection, boot: str, mono_ms: int) -> bool:
    """Whether the ward is told what began then: the household had joined it. No wall clock is asked."""
    known = read(db)
    if known is None:
        return False
    if boot == known.boot:
        return mono_ms >= known.mono_ms
    return boots.is_later(db, boot, known.boot)
