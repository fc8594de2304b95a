"""What notifications need of the store: events not told yet, how far each phone has been told, and trials."""
import json
import sqlite3
from collections.abc import Collection, Iterator

import msgspec

from agent.core.contract.helper_messages import NotifyFault
from agent.core.household.notifications import Progress, SeenEvent, WeekMinute
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant, week_min
from agent.store import meta
from agent.store.boots import DATED
from agent.store.database import transaction
from agent.store.row_check import sound

STATES, TRIAL = "notify.states", "notify.trial"         # in meta
SEEN = ("SELECT id, camera, kind, code, label, state, boot, mono_ms, dur_ms, zones, "
        f"{DATED.format(t='event')} AS at_ms FROM event ")


class NotifyTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The household wants to see a message arrive; the newest word alone counts, in the boot in which it was said."""

    id: str
    to: str
    boot: str
    mono_ms: int


class PlaceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a place of `[[notify]]` fares."""

    progress: Progress
    fault: NotifyFault = ""         # of the last try; "": it arrived
    status: int | None = None
    tried_ms: int | None = None     # wall time of that
    trial: str = ""                 # the id of the newest trial that was sent
    trial_fault: NotifyFault = ""
    trial_status: int | None = None


def week_clock(now: Instant) -> WeekMinute:
    """The minute of the week of a wall time, as long as the clock can be relied upon."""
    return week_min if now.clock in TRUSTED else _unknown


def _unknown(_: int) -> None:
    """No minute is known."""


def events_after(db: sqlite3.Connection, event_id: int, now: Instant) -> Iterator[SeenEvent]:
    """Events behind that one, in their order."""
    return (_seen(row, now) for row in sound(db, "event", f"{SEEN} WHERE id > ? ORDER BY id", (event_id,)))


def seen(db: sqlite3.Connection, event_id: int, now: Instant) -> SeenEvent | None:
    """That event."""
    return next((_seen(row, now) for row in sound(db, "event", f"{SEEN} WHERE id = ?", (event_id,))), None)


def _seen(row: sqlite3.Row, now: Instant) -> SeenEvent:
    age_ms = now.mono_ms - row["mono_ms"] if row["boot"] == now.boot else max(0, now.wall_ms - row["at_ms"])
    return SeenEvent(id=row["id"], camera=row["camera"], kind=row["kind"], wall_ms=row["at_ms"], age_ms=age_ms,
                     going_on=row["state"] == "open", zones=tuple(json.loads(row["zones"] or "[]")), code=row["code"],
                     label=row["label"], over_ms=max(0, age_ms - (row["dur_ms"] or 0)))


def thumb(db: sqlite3.Connection, event_id: int) -> str | None:
    """The file name of the event's picture."""
    row = db.execute("SELECT thumb FROM event WHERE id = ?", (event_id,)).fetchone()
    return row["thumb"] if row else None


def states(db: sqlite3.Connection) -> dict[str, PlaceState]:
    """All states, by the places' names."""
    return meta.read(db, STATES, dict[str, PlaceState]) or {}


def keep(db: sqlite3.Connection, states: dict[str, PlaceState]) -> None:
    """Keep the states; what is not among them is forgotten."""
    meta.put(db, STATES, msgspec.json.encode(states).decode())


def order(db: sqlite3.Connection, trial: NotifyTrial) -> None:
    """Have a trial sent. Within the caller's transaction."""
    meta.put(db, TRIAL, msgspec.json.encode(trial).decode())


def ordered(db: sqlite3.Connection) -> NotifyTrial | None:
    """The newest trial."""
    return meta.read(db, TRIAL, NotifyTrial)


def forget_others(db: sqlite3.Connection, names: Collection[str]) -> None:
    """Forget all other places: one that comes back hears of what happens from then on."""
    if gone := (known := states(db)).keys() - names:
        with transaction(db):
            keep(db, {name: state for name, state in known.items() if name not in gone})
