"""The store's part of notifications: events to notify of, how far each phone was notified, and trial messages."""
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

SEEN = ("SELECT id, camera, kind, code, label, label_score, state, boot, mono_ms, dur_ms, zones, "
        f"{DATED.format(t='event')} AS at_ms FROM event ")


class NotifyTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The household wants to see a message arrive. Only the newest trial counts, and only in its boot."""

    id: str
    to: str
    boot: str
    mono_ms: int


class PlaceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a place of `[[notify]]`."""

    progress: Progress
    fault: NotifyFault = ""         # of the last try; "": it arrived
    status: int | None = None
    tried_ms: int | None = None     # wall time of that
    trial: str = ""                 # the id of the newest trial that was sent
    trial_fault: NotifyFault = ""
    trial_status: int | None = None


def week_clock(now: Instant) -> WeekMinute:
    """Returns what gives the minute of the week of a wall time: None while the clock is unreliable."""
    return week_min if now.clock in TRUSTED else lambda _: None


def events_after(db: sqlite3.Connection, event_id: int, now: Instant) -> Iterator[SeenEvent]:
    return (_seen(row, now) for row in sound(db, "event", f"{SEEN} WHERE id > ? ORDER BY id", (event_id,)))


def seen(db: sqlite3.Connection, event_id: int, now: Instant) -> SeenEvent | None:
    return next((_seen(row, now) for row in sound(db, "event", f"{SEEN} WHERE id = ?", (event_id,))), None)


def _seen(row: sqlite3.Row, now: Instant) -> SeenEvent:
    age_ms = now.mono_ms - row["mono_ms"] if row["boot"] == now.boot else max(0, now.wall_ms - row["at_ms"])
    return SeenEvent(id=row["id"], camera=row["camera"], kind=row["kind"], wall_ms=row["at_ms"], age_ms=age_ms,
                     going_on=row["state"] == "open", zones=tuple(json.loads(row["zones"] or "[]")), code=row["code"],
                     label=row["label"], is_likely=bool(row["label"]) and row["label_score"] is None,
                     over_ms=max(0, age_ms - (row["dur_ms"] or 0)))


def thumb(db: sqlite3.Connection, event_id: int) -> str | None:
    row = db.execute("SELECT thumb FROM event WHERE id = ?", (event_id,)).fetchone()
    return row["thumb"] if row else None


states, keep = meta.stored("notify.states", dict[str, PlaceState], {})        # by the places' names
ordered, order = meta.stored("notify.trial", NotifyTrial)       # the newest trial


def forget_others(db: sqlite3.Connection, names: Collection[str]) -> None:
    """Drops the states of all other places: one that comes back is notified of what happens from then on."""
    if gone := (known := states(db)).keys() - names:
        with transaction(db):
            keep(db, {name: state for name, state in known.items() if name not in gone})
