"""What a technician sees of each device: one line, made from the book and a moment. Pure."""
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from agent.core.wire import told
from agent.ward.presence import Presence, State, presence
from agent.ward.register import Device
from agent.ward.roster import Roster

WORST_FIRST: tuple[State, ...] = ("offline", "stale", "never-seen", "maintenance", "online")
Payload = TypeVar("Payload", told.Birth, told.Health)


class Line(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One device; what is absent is unknown. *_ms are UTC by the ward's clock."""

    dev: str
    state: State
    why: str | None = None              # it is not online
    site: str | None = None
    agent: str | None = None            # its version
    clock: str | None = None            # unset | saved | rtc | ntp
    cond: list[str] = []                # what is wrong with it: codes, with the camera concerned
    event_kind: str | None = None       # its newest event,
    event_ms: int | None = None         # and when that came
    health_ms: int | None = None        # when it last told how it is
    outbox_n: int | None = None         # events that wait on it
    missing_n: int | None = None        # events that were announced by later ones


def lines(devices: Iterable[Device], expected: Roster, now_ms: int) -> list[Line]:
    """A line for each device that is known or expected, the worst first, then by place and id."""
    known = [line(device, now_ms, device.dev in expected.maintained) for device in devices]
    told_n = {each.dev for each in known}
    never = [_never(dev, expected) for dev in expected.devices if dev not in told_n]
    return sorted([*known, *never], key=lambda each: (WORST_FIRST.index(each.state), each.site or "", each.dev))


def line(device: Device, now_ms: int, maintained: bool = False) -> Line:
    """The line of one device."""
    verdict: Presence = presence(device.standing, now_ms, maintained)
    birth, health = _read(told.Birth, device.birth), _read(told.Health, device.health)
    return Line(dev=device.dev, state=verdict.state, why=verdict.why, clock=device.clock,
                site=birth.site if birth else None, agent=birth.agent if birth else None,
                cond=[_condition(each) for each in health.cond] if health else [],
                outbox_n=health.outbox_n if health else None, health_ms=device.health_ms,
                event_kind=device.event_kind, event_ms=device.event_ms,
                missing_n=sum(hole.last - hole.first + 1 for hole in device.reach.holes) or None)


def _never(dev: str, expected: Roster) -> Line:
    if dev in expected.maintained:
        return Line(dev=dev, state="maintenance", why="never-seen")
    return Line(dev=dev, state="never-seen")


def _condition(condition: told.Condition) -> str:
    concerned = condition.c or condition.unit
    return f"{condition.code} ({concerned})" if concerned else condition.code


def _read(kind: type[Payload], text: str | None) -> Payload | None:
    return msgspec.json.decode(text, type=kind) if text else None
