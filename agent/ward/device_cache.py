"""The device cache: devices as of the last commit, uncommitted changes, and the commit.

A commit is one transaction. If it fails, the service drops the cache and reads it again: devices keep what has no
receipt. Several ingests may write one database: a commit reads the records that it changes, and commits follow one
another.
"""
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import Any

import sqlalchemy as sql

from agent.ward import database, events, quota, register, requests, ward_side
from agent.ward.database import put
from agent.ward.events import ASK_AT_ONCE, Came, Key
from agent.ward.presence import Standing
from agent.ward.quota import Excess
from agent.ward.register import BootTurns, DeviceRecord, Reach, SeenBoot, SeqGap
from agent.ward.settings import Database

HISTORY_EVERY_MS = 300_000
OWN_COLUMNS = ("dev", "first_ms", "clock", "birth", "health", "health_ms", "event_ms", "event_kind")
Change = Callable[[DeviceRecord], DeviceRecord | None]      # None: it is of the past, and changes nothing


class TooManyDevices(Exception):
    """As many devices are known as [database] devices_n allows."""


@dataclass(frozen=True, slots=True)
class Committed:
    new: list[Came]
    safe: list[Key]             # in the database now, repetitions included
    reused: list[Key]           # refused: another event has this seq already
    past_n: int                 # changes that were of the past
    cloned: list[str]           # devices that turned out to be two


class DeviceCache:
    """The devices by id, as last read from the database, and what is not committed yet."""

    def __init__(self, engine: sql.Engine, for_city: bool = False, devices_max: int = Database().devices_n) -> None:
        """Reads the devices; `for_city` marks each event for the city above. Raises DatabaseFault."""
        self._engine, self._for_city, self._devices_max = engine, for_city, devices_max
        self.clear()
        self.devices = {device.dev: device for device in read_devices(engine)}

    def clear(self) -> None:
        self._changes: dict[str, list[Change]] = {}
        self._events: list[Came] = []
        self._history: dict[tuple[str, int], str] = {}
        self._answers: list[tuple[str, ward_side.CommandAnswer, int]] = []
        self._overs: dict[tuple[str, Excess], int] = {}
        self.waiting_n = 0          # messages that the next commit saves

    @property
    def events_n(self) -> int:
        """Events that wait for the commit; their devices wait for a receipt."""
        return len(self._events)

    def remember(self, dev: str, change: Change, now_ms: int) -> None:
        """Raises TooManyDevices."""
        self._touch(dev, now_ms).append(change)

    def remember_event(self, came: Came) -> None:
        """The commit finds whether it is new, and then changes its device's record. Raises TooManyDevices."""
        self._touch(came.dev, came.when.now_ms)
        self._events.append(came)

    def remember_excess(self, dev: str, what: Excess, now_ms: int) -> None:
        self._overs[dev, what] = now_ms
        self.waiting_n += 1

    def remember_health(self, dev: str, text: str, now_ms: int) -> None:
        """Caches a health report for the history, which keeps the first one of each five minutes."""
        self._history.setdefault((dev, now_ms - now_ms % HISTORY_EVERY_MS), text)

    def remember_answer(self, dev: str, answer: ward_side.CommandAnswer, now_ms: int) -> None:
        self._answers.append((dev, answer, now_ms))
        self.waiting_n += 1

    def commit(self) -> Committed:
        """Raises DatabaseFault; then the caller must clear the cache or drop it."""
        with self._turn() as db:
            devices, past_n, cloned = self._changed(db)
            new, moments = events.note(db, self._events, devices)
            for came in new:
                devices[came.dev] = register.with_event(devices[came.dev], came.event, came.when)
            put(db, database.device, [to_row(devices[dev]) for dev in sorted(devices)], replace=True)
            put(db, database.health_history, [{"dev": dev, "slot_ms": slot_ms, "message": text}
                                              for (dev, slot_ms), text in self._history.items()], replace=False)
            twice = {(dev, "cloned"): devices[dev].turns.found_ms for dev in cloned}
            for key, now_ms in (self._overs | twice).items():
                quota.note_excess(db, [key], now_ms)
            for answer in self._answers:
                requests.apply_answer(db, *answer)
            if self._for_city:
                events.mark(db, [came.key for came in new])
        self.devices |= devices
        safe = [came.key for came in self._events if came.moment == moments[came.key]]
        reused = [came.key for came in self._events if came.moment != moments[came.key]]
        self.clear()
        return Committed(new, safe, reused, past_n, cloned)

    def ask(self, wanted: Mapping[str, Collection[SeqGap]], now_ms: int) -> dict[str, list[SeqGap]]:
        """Returns those of the `wanted` gaps that are still open, and notes them as asked for. Raises DatabaseFault."""
        with self._turn() as db:
            devices = _read(db, list(wanted))
            missing = {dev: [gap for gap in wanted[dev] if gap in device.reach.gaps]
                       for dev, device in devices.items()}
            devices = {dev: replace(device, reach=device.reach.asked(missing[dev], now_ms))
                       for dev, device in devices.items()}
            put(db, database.device, [to_row(devices[dev]) for dev in sorted(devices)], replace=True)
        self.devices |= devices
        return missing

    def forget_history(self, before_ms: int) -> None:
        """Deletes health reports from before this moment. Raises DatabaseFault."""
        with self._turn() as db:
            db.execute(sql.delete(database.health_history).where(database.health_history.c.slot_ms < before_ms))

    def forget_events(self, before_ms: int, limit_n: int) -> int:
        """Deletes up to `limit_n` events from before this moment; returns how many. Raises DatabaseFault."""
        with self._turn() as db:
            return events.prune(db, before_ms, limit_n, self._for_city)

    @contextmanager
    def _turn(self) -> Iterator[sql.Connection]:
        """A transaction during which no other ingest commits. Raises DatabaseFault."""
        with database.transaction(self._engine) as db:
            database.wait_for_turn(db)
            yield db

    def _touch(self, dev: str, now_ms: int) -> list[Change]:
        if dev not in self.devices:
            if len(self.devices) >= self._devices_max:
                raise TooManyDevices(f"{len(self.devices):,} devices are known already; if the ward really has more, "
                                     "raise [database] devices_n in ward.toml, and restart the ingest")
            self.devices[dev] = DeviceRecord(dev, now_ms)
        self.waiting_n += 1
        return self._changes.setdefault(dev, [])

    def _changed(self, db: sql.Connection) -> tuple[dict[str, DeviceRecord], int, list[str]]:
        """Returns the changed devices, the number of outdated changes, and the devices found to be cloned."""
        before = {dev: self.devices[dev] for dev in self._changes} | _read(db, list(self._changes))
        devices, past_n = dict(before), 0
        for dev, changes in self._changes.items():
            for change in changes:
                later = change(devices[dev])
                past_n += later is None
                devices[dev] = later or devices[dev]
        cloned = [dev for dev, device in devices.items() if device.turns.found_ms != before[dev].turns.found_ms]
        return devices, past_n, cloned


def to_row(device: DeviceRecord) -> dict[str, Any]:
    reach = device.reach
    return {name: getattr(device, name) for name in OWN_COLUMNS} | asdict(device.standing) | {
        "turns": json.dumps(astuple(device.turns)), "top": reach.top,
        "holes": json.dumps([astuple(gap) for gap in reach.gaps])}


def of_row(row: Any) -> DeviceRecord:
    reach = Reach(row.top, tuple(SeqGap(*gap) for gap in json.loads(row.holes)))
    present, former, *found = json.loads(row.turns)
    return DeviceRecord(**{name: getattr(row, name) for name in OWN_COLUMNS}, reach=reach,
                        standing=Standing(**{each.name: getattr(row, each.name) for each in fields(Standing)}),
                        turns=BootTurns(SeenBoot(*present), SeenBoot(*former), *found))


def read_devices(engine: sql.Engine) -> Iterable[DeviceRecord]:
    """Returns every device, by name. Raises DatabaseFault."""
    with database.transaction(engine) as db:
        return [of_row(row) for row in db.execute(sql.select(database.device).order_by(database.device.c.dev))]


def _read(db: sql.Connection, devs: Sequence[str]) -> dict[str, DeviceRecord]:
    own, found = database.device, {}
    for start in range(0, len(devs), ASK_AT_ONCE):
        for row in db.execute(sql.select(own).where(own.c.dev.in_(devs[start:start + ASK_AT_ONCE]))):
            found[row.dev] = of_row(row)
    return found
