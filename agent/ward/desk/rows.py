"""The desk's rows: what is known of each device from the enrolment book and from what it reports. Pure.

A place whose card has not been used yet is a row, too, and so is a device that reports and is in no book.
"""
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from agent.core.contract.wire import ward_side
from agent.ward.desk import lights
from agent.ward.desk.lights import Lights
from agent.ward.enrolment.entries import PlaceEntry
from agent.ward.presence import presence
from agent.ward.register import WHY_REMOVED, DeviceRecord
from agent.ward.watch import line

Payload = TypeVar("Payload", ward_side.Birth, ward_side.Health)
RowState = Literal["offline", "stale", "never-seen", "waiting", "enrolled", "maintenance", "online"]
WORST_FIRST: tuple[RowState, ...] = ("offline", "stale", "never-seen", "waiting", "enrolled", "maintenance", "online")
PAGE_N = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRow:
    """One device or, before there is one, its place. *_ms are UTC by the ward's clock."""

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
        """Its name in addresses: no device's id is a serial number of a place."""
        return self.dev or self.serial

    @property
    def named(self) -> str:
        """What people call it."""
        return self.household or self.title or self.site or self.key

    @property
    def green(self) -> bool:
        """Whether nothing is left to do."""
        return self.lights.green and not self.alarms

    @property
    def rank(self) -> tuple[int, int, int, str, str]:
        """The more is missing, the sooner it comes."""
        return (not self.alarms, -len(self.lights.missing), WORST_FIRST.index(self.state), self.site, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ward knows at a moment (`now_ms`): the book's places, what reports, and what goes with them by device.
    """

    now_ms: int
    places: Sequence[PlaceEntry] = ()
    devices: Iterable[DeviceRecord] = ()
    ends_ms: Mapping[str, int] = field(default_factory=dict)            # of the certificate in force
    alarms: Mapping[str, Sequence[str]] = field(default_factory=dict)   # by serial number
    overs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expected: Collection[str] = ()                                      # of the list of devices
    maintained: Collection[str] = ()


def rows(known: Known) -> list[DeskRow]:
    """A row for each, those first on which the most is missing."""
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
                   lights=lights.reported(state, device.clock, health), until_ms=ends_ms, cond=shown.cond,
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
    return replace(row, state="enrolled", dev=found.dev, lights=lights.told(found.ready),
                   hints=found.ready.why if found.ready else {}, until_ms=known.ends_ms.get(found.dev))


def chosen(found: Sequence[DeskRow], state: str = "", text: str = "") -> list[DeskRow]:
    """Those in this state ("missing": not green; "": any) in whose names and addresses every word of `text` is."""
    words = text.casefold().split()
    return [row for row in found if _is_in(row, state) and all(word in _searched(row) for word in words)]


def counted(found: Iterable[DeskRow]) -> dict[str, int]:
    """How many are in each state that any is in, the worst first."""
    numbers = Counter(row.state for row in found)
    return {state: numbers[state] for state in WORST_FIRST if numbers[state]}


def _is_in(row: DeskRow, state: str) -> bool:
    return not state or row.state == state or state == "missing" and not row.green


def _searched(row: DeskRow) -> str:
    return " ".join((row.dev, row.serial, row.site, row.household, row.title)).casefold()


def _read(kind: type[Payload], text: str | None) -> Payload | None:
    return msgspec.json.decode(text, type=kind) if text else None


def _moment_ms(text: str | None) -> int | None:
    """RFC 3339, as a device wrote it; None for none, and for what is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None
    except (ValueError, OverflowError):
        return None
