"""Whether the household has joined a ward, since when, and what it withholds. Messages are kept only for that ward.

It is one row in `meta`: the decisive one in the keeper's own database, and a copy in the shared one.
"""
import sqlite3

from msgspec import Struct, json

from agent.core.household.consent import Switch
from agent.core.household.consent import withheld as withheld_parts
from agent.store import boots, meta

KEY = "joined"
LEFT = ""               # the row's value once the household has left its ward
HISTORY = {"health_hist": "health"}     # stored kinds of messages that differ from the contract's


class Membership(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The ward, and what was agreed to. The ward gets nothing that began earlier."""

    ward: str
    text: int = 0                   # as in core.evidence.ledger.Agreed, like the next five
    told: list[str] = []            # kinds that were agreed to
    by: str = ""
    pictures: dict[str, str] = {}
    snapshots: str | None = None
    boot: str = ""
    mono_ms: int = 0
    kept: list[str] = []            # those of them that the household has withdrawn since
    only: list[str] = []            # the only labels of motion that the ward gets, beside unlabelled motion; []: all
    since: dict[str, tuple[str, int]] = {}      # boot and monotonic time from which kinds are sent again

    @property
    def telling(self) -> list[str]:
        return [kind for kind in self.told if kind not in self.kept]

    @property
    def withheld(self) -> list[Switch]:
        return withheld_parts(self.telling)

    @property
    def boots(self) -> set[str]:
        return {boot for boot in (self.boot, *(boot for boot, _ in self.since.values())) if boot}

    def begin_of(self, kind: str) -> tuple[str, int] | None:
        """Returns boot and monotonic time (ms) from which the ward gets this kind; None: never."""
        kind = HISTORY.get(kind, kind)
        return self.since.get(kind, (self.boot, self.mono_ms)) if kind in self.telling else None


def read(db: sqlite3.Connection) -> Membership | None:
    """Returns the present membership; None without one, or if the row is spoiled."""
    return meta.read(db, KEY, Membership)


def only(db: sqlite3.Connection) -> list[str]:
    """Returns the only labels of motion that the ward gets; if empty, it gets all motion."""
    known = read(db)
    return known.only if known else []


def has_left(db: sqlite3.Connection) -> bool:
    """Whether the household has left its ward. False also for a database without the row."""
    return meta.get(db, KEY) == LEFT


def ever(db: sqlite3.Connection) -> bool:
    return meta.get(db, KEY) is not None


def put(db: sqlite3.Connection, now: Membership | None) -> None:
    meta.put(db, KEY, json.encode(now).decode() if now else LEFT)


def covers(db: sqlite3.Connection, kind: str, boot: str, mono_ms: int) -> bool:
    """Whether the ward gets that kind, and what began then. It does not use a wall clock."""
    known = read(db)
    begin = known.begin_of(kind) if known else None
    if begin is None:
        return False
    if boot == begin[0]:
        return mono_ms >= begin[1]
    return boots.is_later(db, boot, begin[0])
