"""The desk's rows: what the ward knows of each device from the enrolment book and from its reports.

A place whose card has not been used yet is a row, too; so is a device that is not in the book. Four lights say whether
camera, card, clock and broker are good: the device reports them itself until its household has joined (`Ready`); then
they follow from health and presence.
"""
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import sqlalchemy as sql

from agent.core.contract.enrolment import Ready
from agent.core.health.conditions import CAMERA, CARD
from agent.host.clock import Clock
from agent.ward import database, ward_side
from agent.ward.authority import findings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.device_cache import read_devices
from agent.ward.enrolment.book import EnrolmentBook, PlaceEntry
from agent.ward.presence import State, presence
from agent.ward.quota import read_excesses
from agent.ward.register import WHY_REMOVED, DeviceRecord
from agent.ward.settings import Settings, read_roster
from agent.ward.watch import line

Light = Literal["good", "bad", "unknown"]
LIGHTS = ("camera", "card", "clock", "broker")
CAMERA_ILLS = frozenset((*CAMERA, "camera_tampered", "no_camera", "not_recording", "role_down", "role_not_started"))
CARD_ILLS = frozenset((*CARD, "card_full", "card_drops_writes", "card_ends", "card_went_back", "inodes_low",
                       "database_damaged"))
RIGHT_CLOCKS = ("ntp", "rtc")


@dataclass(frozen=True, slots=True)
class Lights:
    """One device's lights, in the order of LIGHTS."""

    camera: Light = "unknown"
    card: Light = "unknown"
    clock: Light = "unknown"
    broker: Light = "unknown"

    @property
    def green(self) -> bool:
        return set(self.each.values()) == {"good"}

    @property
    def each(self) -> dict[str, Light]:
        return dict(zip(LIGHTS, astuple(self), strict=True))

    @property
    def missing(self) -> list[str]:
        return [name for name, light in self.each.items() if light == "bad"]


def reported_lights(state: State, clock: str | None, health: ward_side.Health | None) -> Lights:
    """`health` is None if the household withholds it. The last report of a device that is away proves nothing."""
    broker: Light = "good" if state == "online" else "bad"
    if state not in ("online", "stale"):
        return Lights(broker=broker)
    return Lights(_free_of(CAMERA_ILLS, health), _free_of(CARD_ILLS, health),
                  "unknown" if clock is None else _light(clock in RIGHT_CLOCKS), broker)


def ready_lights(ready: Ready | None) -> Lights:
    """The lights before the household has joined; unknown without a report."""
    return Lights() if ready is None else Lights(*(_light(getattr(ready, name)) for name in LIGHTS))


def _free_of(ills: Iterable[str], health: ward_side.Health | None) -> Light:
    if health is None:
        return "unknown"
    return _light(not any(each.code in ills and each.sev != "info" for each in health.cond))


def _light(good: bool) -> Light:
    return "good" if good else "bad"


Payload = TypeVar("Payload", ward_side.Birth, ward_side.Health)
RowState = Literal["offline", "stale", "never-seen", "waiting", "enrolled", "maintenance", "online"]
WORST_FIRST: tuple[RowState, ...] = ("offline", "stale", "never-seen", "waiting", "enrolled", "maintenance", "online")
PAGE_N = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRow:
    """One device or, before it is enrolled, its place. *_ms are UTC by the ward's clock."""

    dev: str = ""                       # "" before it is enrolled
    serial: str = ""                    # "" for one that is in no book
    site: str = ""
    household: str = ""
    title: str = ""
    state: RowState
    why: str = ""
    lights: Lights = field(default_factory=Lights)
    hints: Mapping[str, str] = field(default_factory=dict)      # for what is not good: a line for the technician
    until_ms: int | None = None         # when its certificate ends, or the time of its claim
    alarms: Sequence[str] = ()          # claim_used, claim_revoked, cloned
    cond: Sequence[str] = ()            # codes of its conditions
    event_kind: str = ""
    event_ms: int | None = None
    agent: str = ""

    @property
    def key(self) -> str:
        """Its name in addresses; no device's id equals a place's serial number."""
        return self.dev or self.serial

    @property
    def named(self) -> str:
        return self.household or self.title or self.site or self.key

    @property
    def green(self) -> bool:
        return self.lights.green and not self.alarms

    @property
    def claim_alarms(self) -> bool:
        """Whether there are alarms that an officer may put aside; "cloned" ends by itself."""
        return any(each != "cloned" for each in self.alarms)

    @property
    def rank(self) -> tuple[int, int, int, list[tuple[str, int]], str]:
        """The more is missing, the earlier it comes; then by place, house 2 before house 10."""
        parts = re.split(r"(\d{1,18})", self.site)
        return (not self.alarms, -len(self.lights.missing), WORST_FIRST.index(self.state),
                [(text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "0"], strict=True)], self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ward knows at `now_ms`; mappings are by device unless noted."""

    now_ms: int
    places: Sequence[PlaceEntry] = ()
    devices: Iterable[DeviceRecord] = ()
    ends_ms: Mapping[str, int] = field(default_factory=dict)            # of the certificate in force
    alarms: Mapping[str, Sequence[str]] = field(default_factory=dict)   # by serial number
    overs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expected: Collection[str] = ()                                      # of the list of devices
    maintained: Collection[str] = ()


def rows(known: Known) -> list[DeskRow]:
    """Those that lack most come first."""
    reporting = {each.dev: each for each in known.devices}
    of_book = [_of_place(place, known, reporting.pop(place.dev, None)) for place in known.places]
    others = [_of_device(device, known) for device in reporting.values()]
    shown = {each.dev for each in (*of_book, *others)}
    never = [DeskRow(dev=dev, state="never-seen") for dev in known.expected if dev not in shown]
    return sorted([*of_book, *others, *never], key=lambda row: row.rank)


def _of_device(device: DeviceRecord, known: Known) -> DeskRow:
    shown = line(device, known.now_ms, device.dev in known.maintained, known.overs.get(device.dev, ()))
    state = presence(device.standing, known.now_ms).state
    birth = _read(ward_side.Birth, device.birth)
    health = None if birth and "health" in birth.withheld else _read(ward_side.Health, device.health)
    ends_ms = known.ends_ms.get(device.dev) or _moment_ms(birth.cert_not_after if birth else None)
    is_cloned = "cloned" in shown.cond and shown.why != WHY_REMOVED
    return DeskRow(dev=device.dev, site=shown.site or "", state=shown.state, why=shown.why or "",
                   lights=reported_lights(state, device.clock, health), until_ms=ends_ms, cond=shown.cond,
                   alarms=["cloned"] if is_cloned else [], agent=shown.agent or "",
                   event_kind=device.event_kind or "", event_ms=device.event_ms)


def _of_place(found: PlaceEntry, known: Known, device: DeviceRecord | None) -> DeskRow:
    place = found.place
    row = DeskRow(serial=place.serial, site=place.site, household=place.household, title=place.title, state="waiting",
                  alarms=known.alarms.get(place.serial, ()))
    if device and device.standing.online is not None:
        own = _of_device(device, known)
        return replace(own, serial=row.serial, site=row.site or own.site, household=row.household, title=row.title,
                       alarms=[*row.alarms, *own.alarms])
    if not found.dev:
        return replace(row, until_ms=found.claim.until_ms if found.claim else None)
    return replace(row, state="enrolled", dev=found.dev, lights=ready_lights(found.ready),
                   hints=found.ready.why if found.ready else {}, until_ms=known.ends_ms.get(found.dev))


def chosen(found: Sequence[DeskRow], state: str = "", text: str = "") -> list[DeskRow]:
    """The rows in this state ("missing": not green; "": any) whose names contain every word of `text`."""
    words = text.casefold().split()
    return [row for row in found if (not state or row.state == state or state == "missing" and not row.green)
            and all(word in " ".join((row.dev, row.serial, row.site, row.household, row.title)).casefold()
                    for word in words)]


def counted(found: Iterable[DeskRow]) -> dict[str, int]:
    numbers = Counter(row.state for row in found)
    return {state: numbers[state] for state in WORST_FIRST if numbers[state]}


def _read(kind: type[Payload], text: str | None) -> Payload | None:
    return msgspec.json.decode(text, type=kind) if text else None


def _moment_ms(text: str | None) -> int | None:
    """Reads RFC 3339 as a device wrote it; None without a time."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None
    except (ValueError, OverflowError):
        return None


GOOD_FOR_S = 1.5
REST_N = 10                     # a slow look, as in a city, is not repeated for this many times its length


class DeskBoard:
    """The rows of all devices, read at intervals, however many look. Raises DatabaseFault and ConfigError."""

    def __init__(self, own: Settings, engine: sql.Engine, clock: Clock) -> None:
        self._roster, self._engine, self._clock = own.ward.devices_file, engine, clock
        self._book = EnrolmentBook(Path(own.authority.folder))
        self._lock = threading.Lock()
        self._rows: list[DeskRow] = []
        self._named: dict[str, DeskRow] = {}
        self._due_mono_s = float("-inf")
        self.book_fault = ""            # why the book says nothing
        self.is_unwell = False          # by the doctor's last look, or for want of one

    def rows(self) -> list[DeskRow]:
        """Returns a row for each device, up to some seconds old."""
        with self._lock:
            if (began_mono_s := self._clock.mono_s()) >= self._due_mono_s:
                self._rows = self._look()
                self._named = {key: row for row in self._rows for key in (row.dev, row.serial) if key}
                now_mono_s = self._clock.mono_s()
                self._due_mono_s = now_mono_s + max(GOOD_FOR_S, REST_N * (now_mono_s - began_mono_s))
            return self._rows

    def row(self, key: str) -> DeskRow | None:
        self.rows()
        return self._named.get(key)

    def _look(self) -> list[DeskRow]:
        now_ms, roster = self._clock.now().wall_ms, read_roster(self._roster)
        examined = findings.last(self._book.path.parent)
        self.is_unwell = examined is not None and (bool(examined.bad) or examined.is_old(now_ms))
        self.book_fault, book = "", {}
        try:
            book = self._read_book()
        except AuthorityFault as fault:
            self.book_fault = str(fault)
        return rows(Known(now_ms=now_ms, devices=read_devices(self._engine),
                          overs=read_excesses(self._engine, now_ms),
                          expected=roster.devices, maintained=roster.maintained, **book))

    def see_alarms(self, row: DeskRow, officer: str) -> None:
        """The officer has seen the alarms of the row's claims: only later ones count from now on."""
        seen = {"serial": row.serial, "at_ms": self._clock.now().wall_ms, "officer": officer}
        with database.transaction(self._engine) as db:
            database.put(db, database.alarm_seen, [seen], replace=True)
        with self._lock:
            self._due_mono_s = float("-inf")

    def _read_book(self) -> dict[str, Any]:
        own = database.alarm_seen.c
        with database.transaction(self._engine) as db:
            seen_ms = dict(db.execute(sql.select(own.serial, own.at_ms)).tuples().all())
        with self._book.look() as entries:
            ends_ms = {each.dev: each.until_ms for each in entries.certificates() if each.revoked_ms is None}
            alarms: defaultdict[str, dict[str, None]] = defaultdict(dict)
            for alarm in entries.alarms():
                if alarm.last_ms > seen_ms.get(alarm.serial, 0):
                    alarms[alarm.serial][alarm.code] = None
            return {"places": entries.states(), "ends_ms": ends_ms,
                    "alarms": {serial: list(codes) for serial, codes in alarms.items()}}
