"""Whether the household has joined a ward, since when, and what it keeps to itself: nothing else is kept for a ward.

One row in `meta`: of the keeper's own database, where it counts, and of the shared one, where the other roles see it.
"""
import sqlite3

from msgspec import Struct, json

from agent.core.household.consent import Switch
from agent.core.household.consent import withheld as withheld_parts
from agent.store import boots, meta

KEY = "joined"
LEFT = ""               # the row's value once the household has left its ward
HISTORY = {"health_hist": "health"}     # of messages that have another kind while they wait


class Membership(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The ward, and what was agreed to; of what began before that moment nothing is told."""

    ward: str
    text: int = 0                   # as in core.evidence.ledger.Agreed, like the next five
    told: list[str] = []            # kinds that were agreed to
    by: str = ""
    pictures: dict[str, str] = {}
    snapshots: str | None = None
    boot: str = ""
    mono_ms: int = 0
    kept: list[str] = []            # of them, those that the household has taken back since
    only: list[str] = []            # of motion the ward is told of these words alone, and of what has none; []: of all
    since: dict[str, tuple[str, int]] = {}      # boot and monotonic time from which others are told again

    @property
    def telling(self) -> list[str]:
        """The kinds of messages that the ward gets."""
        return [kind for kind in self.told if kind not in self.kept]

    @property
    def withheld(self) -> list[Switch]:
        """The parts that the household keeps to itself."""
        return withheld_parts(self.telling)

    @property
    def boots(self) -> set[str]:
        """The starts of the machine that count for what is told."""
        return {boot for boot in (self.boot, *(boot for boot, _ in self.since.values())) if boot}

    def begin_of(self, kind: str) -> tuple[str, int] | None:
        """Boot and monotonic time (ms) from which such messages are told; None for a kind that the ward never gets."""
        kind = HISTORY.get(kind, kind)
        return self.since.get(kind, (self.boot, self.mono_ms)) if kind in self.telling else None


def read(db: sqlite3.Connection) -> Membership | None:
    """The present one; None where there is none, or where somebody has spoiled the row."""
    return meta.read(db, KEY, Membership)


def only(db: sqlite3.Connection) -> list[str]:
    """The words of motion that the ward is told of alone; none: it is told of all."""
    known = read(db)
    return known.only if known else []


def has_left(db: sqlite3.Connection) -> bool:
    """Whether the household was in a ward, and is in none now. A database without the row can't tell."""
    return meta.get(db, KEY) == LEFT


def ever(db: sqlite3.Connection) -> bool:
    """Whether the household was in any ward before, or is."""
    return meta.get(db, KEY) is not None


def put(db: sqlite3.Connection, now: Membership | None) -> None:
    """Note it, or that the household has left; in the caller's transaction."""
    meta.put(db, KEY, json.encode(now).decode() if now else LEFT)


def covers(db: sqlite3.Connection, kind: str, boot: str, mono_ms: int) -> bool:
    """Whether the ward is told of that kind, and of what began then. No wall clock is asked."""
    known = read(db)
    begin = known.begin_of(kind) if known else None
    if begin is None:
        return False
    if boot == begin[0]:
        return mono_ms >= begin[1]
    return boots.is_later(db, boot, begin[0])
