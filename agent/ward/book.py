"""The ward's book of devices: what has come since the last commit, and the commit. One writer a ward.

Everything of a commit is in one transaction. When it fails, the book is thrown away and read anew: the devices keep
what they got no receipt for.
"""
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from agent.core.wire import told
from agent.ward import database, register
from agent.ward.database import put
from agent.ward.holes import Hole, Reach
from agent.ward.presence import Standing
from agent.ward.register import Arrival, Device

DEVICES_MAX = 20_000            # three cities' worth; more is somebody who makes them up
HISTORY_EVERY_MS = 300_000
ASK_AT_ONCE = 400               # keys in one query
Key = tuple[str, int]           # dev, seq
Moment = tuple[str, int]        # boot, mono_ms


class TooManyDevices(Exception):
    """There is no room for another device."""


class Came(NamedTuple):
    """An event that has come."""

    dev: str
    event: told.Event
    text: str           # JSON, whole
    when: Arrival

    @property
    def key(self) -> Key:
        """What makes it one event."""
        return self.dev, self.event.seq

    @property
    def moment(self) -> Moment:
        """When it happened, by the device: a repetition has the same."""
        return self.event.boot, self.event.data.mono_ms


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did."""

    new: list[told.Event]
    safe: list[Key]             # in the database now, repetitions included
    reused: list[Key]           # not taken: another event has this seq already


class Book:
    """The devices by id, and what of it is not in the database yet."""

    def __init__(self, engine: sql.Engine) -> None:
        """Read the devices. Raises DatabaseFault."""
        self._engine = engine
        self._changed: set[str] = set()
        self._events: list[Came] = []
        self._history: dict[tuple[str, int], str] = {}
        try:
            with engine.connect() as db:
                self.devices = {row.dev: of_row(row) for row in db.execute(sql.select(database.device))}
        except SQLAlchemyError as error:
            raise self._fault(error) from error

    @property
    def waiting_n(self) -> int:
        """Messages that a commit would make safe."""
        return len(self._events) + len(self._changed)

    @property
    def events_n(self) -> int:
        """Events among them: their devices wait for a receipt."""
        return len(self._events)

    def device(self, dev: str, now_ms: int) -> Device:
        """What is known of it, or a first record. Raises TooManyDevices."""
        if dev not in self.devices and len(self.devices) >= DEVICES_MAX:
            raise TooManyDevices
        return self.devices.get(dev) or Device(dev, now_ms)

    def keep(self, device: Device) -> None:
        """Its record is this now."""
        self.devices[device.dev] = device
        self._changed.add(device.dev)

    def remember_event(self, came: Came) -> None:
        """An event. Its device's record changes with the commit: by then it is known whether the event is new."""
        self._events.append(came)

    def remember_health(self, dev: str, text: str, now_ms: int) -> None:
        """A health report for the history, which gets the first of each five minutes."""
        self._history.setdefault((dev, now_ms - now_ms % HISTORY_EVERY_MS), text)

    def asked(self, dev: str, holes: Iterable[Hole], now_ms: int) -> None:
        """A device was asked for what is missing."""
        device = self.devices[dev]
        self.keep(replace(device, reach=device.reach.asked(holes, now_ms)))

    def commit(self) -> Committed:
        """Write everything down. Raises DatabaseFault, after which this book is of no use any more."""
        try:
            with self._engine.begin() as db:
                new, moments = self._note_events(db)
                put(db, database.device, [to_row(self.devices[dev]) for dev in sorted(self._changed)], replace=True)
                put(db, database.health_history, [{"dev": dev, "slot_ms": slot_ms, "message": text}
                                                  for (dev, slot_ms), text in self._history.items()], replace=False)
        except SQLAlchemyError as error:
            raise self._fault(error) from error
        safe = [came.key for came in self._events if came.moment == moments[came.key]]
        reused = [came.key for came in self._events if came.moment != moments[came.key]]
        self._events, self._changed, self._history = [], set(), {}
        return Committed(new, safe, reused)

    def forget_history(self, before_ms: int) -> None:
        """Delete health reports older than this. Raises DatabaseFault."""
        old = sql.delete(database.health_history).where(database.health_history.c.slot_ms < before_ms)
        try:
            with self._engine.begin() as db:
                db.execute(old)
        except SQLAlchemyError as error:
            raise self._fault(error) from error

    def _note_events(self, db: sql.Connection) -> tuple[list[told.Event], dict[Key, Moment]]:
        """Insert the events that are new, and move their devices on; returns them, and the moments of all."""
        first = {came.key: came for came in reversed(self._events)}
        there = _there(db, list(first))
        new = [came for key, came in sorted(first.items()) if key not in there]
        for came in new:
            self.keep(register.with_event(self.devices[came.dev], came.event, came.when))
        put(db, database.event, [_event_row(came) for came in new], replace=False)
        return [came.event for came in new], there | {came.key: came.moment for came in new}

    def _fault(self, error: SQLAlchemyError) -> database.DatabaseFault:
        return database.fault(str(self._engine.url), error)


def _there(db: sql.Connection, keys: list[Key]) -> dict[Key, Moment]:
    """Those of `keys` that the database has, and when they happened."""
    own = database.event.c
    found: dict[Key, Moment] = {}
    for start in range(0, len(keys), ASK_AT_ONCE):
        asked = sql.select(own.dev, own.seq, own.boot, own.mono_ms).where(
            sql.tuple_(own.dev, own.seq).in_(keys[start:start + ASK_AT_ONCE]))
        found |= {(row.dev, row.seq): (row.boot, row.mono_ms) for row in db.execute(asked)}
    return found


def _event_row(came: Came) -> dict[str, Any]:
    event = came.event
    return {"dev": came.dev, "seq": event.seq, "kind": event.data.kind, "boot": event.boot,
            "mono_ms": event.data.mono_ms, "clock": event.clock,
            "time_ms": int(event.time.timestamp() * 1000) if event.time else None, "hist": event.data.hist,
            "taken_ms": came.when.now_ms, "message": came.text}


def to_row(device: Device) -> dict[str, Any]:
    """The row of a device."""
    standing, reach = device.standing, device.reach
    return {"dev": device.dev, "first_ms": device.first_ms, "online": standing.online, "why": standing.why,
            "boot": standing.boot, "conn": standing.conn, "status_until_ms": standing.status_until_ms,
            "health_until_ms": standing.health_until_ms, "clock": device.clock, "birth": device.birth,
            "health": device.health, "health_ms": device.health_ms, "event_ms": device.event_ms,
            "event_kind": device.event_kind, "top": reach.top,
            "holes": json.dumps([astuple(hole) for hole in reach.holes])}


def of_row(row: Any) -> Device:
    """The device of a row."""
    standing = Standing(row.online, row.why, row.boot, row.conn, row.status_until_ms, row.health_until_ms)
    reach = Reach(row.top, tuple(Hole(*hole) for hole in json.loads(row.holes)))
    return Device(row.dev, row.first_ms, standing, reach, row.clock, row.birth, row.health, row.health_ms,
                  row.event_ms, row.event_kind)


def read_devices(engine: sql.Engine) -> Iterable[Device]:
    """Every device, by id. Raises DatabaseFault."""
    try:
        with engine.connect() as db:
            return [of_row(row) for row in db.execute(sql.select(database.device).order_by(database.device.c.dev))]
    except SQLAlchemyError as error:
        raise database.fault(str(engine.url), error) from error
