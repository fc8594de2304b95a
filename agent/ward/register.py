"""What the ward knows of one device, and how each message changes it. Pure.

A record is replaced, never changed, so that a commit that fails leaves nothing half done.
"""
from dataclasses import dataclass, field, replace

from agent.core.contract.wire import ward_side as told
from agent.ward.gaps import Reach
from agent.ward.presence import HEALTH_LIVES, STATUS_LIVES_S, Standing, is_of_the_past, until_ms

WHY_REMOVED = "removed"         # its retained messages were taken away, as for a stolen device


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message came (UTC ms of the ward), and what the broker says is left of its life."""

    now_ms: int
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One device's latest word on everything."""

    dev: str
    first_ms: int                               # when it was first heard of
    standing: Standing = field(default_factory=Standing)
    reach: Reach = field(default_factory=Reach)
    clock: str | None = None                    # how far its own clock is to be believed
    birth: str | None = None                    # JSON, whole
    health: str | None = None                   # JSON, whole
    health_ms: int | None = None                # when that came
    event_ms: int | None = None                 # when its newest event came,
    event_kind: str | None = None               # and what it was


def with_status(device: Device, status: told.Status, when: Arrival) -> Device | None:
    """After a status; None where it is the word of a connection that has been replaced."""
    if is_of_the_past(device.standing, status.online, status.boot, status.conn):
        return None
    ends_ms = until_ms(when.now_ms, STATUS_LIVES_S, when.left_s) if status.online else None
    standing = replace(device.standing, online=status.online, why=status.why, boot=status.boot, conn=status.conn,
                       status_until_ms=ends_ms)
    return replace(device, standing=standing, clock=status.clock or device.clock)


def removed(device: Device) -> Device:
    """After its retained status was taken away."""
    return replace(device, standing=replace(device.standing, online=False, why=WHY_REMOVED, status_until_ms=None))


def with_birth(device: Device, birth: told.Birth, text: str) -> Device:
    """After a birth."""
    return replace(device, birth=text, clock=birth.clock)


def with_health(device: Device, health: told.Health, text: str, when: Arrival) -> Device:
    """After a health report."""
    ends_ms = until_ms(when.now_ms, HEALTH_LIVES * health.int_s, when.left_s)
    return replace(device, health=text, health_ms=when.now_ms, clock=health.clock,
                   standing=replace(device.standing, health_until_ms=ends_ms))


def with_event(device: Device, event: told.Event, when: Arrival) -> Device:
    """After an event that is new; what a `gap` names as missing will not come."""
    reach = device.reach
    for first, last in event.data.missing:
        if first <= last < event.seq:
            reach = reach.took(first, last, when.now_ms)
    newest = event.seq > device.reach.top
    return replace(device, reach=reach.took(event.seq, event.seq, when.now_ms),
                   event_ms=when.now_ms if newest else device.event_ms,
                   event_kind=event.data.kind if newest else device.event_kind)
