"""The ward's record of one device, and its successor after each message. Pure.

Records are never changed in place, so a commit that fails leaves nothing half done.
"""
from dataclasses import dataclass, field, replace

from agent.core.contract.wire import ward_side
from agent.ward.clones import BootTurns
from agent.ward.gaps import Reach
from agent.ward.presence import HEALTH_LIVES, STATUS_LIVES_S, WITHHELD_MS, Standing, is_of_the_past, until_ms

WHY_REMOVED = "removed"         # its retained messages were deleted, as for a stolen device


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message came (UTC ms of the ward), and the rest of its life by the broker's word."""

    now_ms: int
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device's latest status, birth, health and event."""

    dev: str
    first_ms: int                               # when its first message came
    standing: Standing = field(default_factory=Standing)
    turns: BootTurns = field(default_factory=BootTurns)
    reach: Reach = field(default_factory=Reach)
    clock: str | None = None                    # the state of its own clock: unset | saved | rtc | ntp
    birth: str | None = None                    # JSON, whole
    health: str | None = None                   # JSON, whole
    health_ms: int | None = None                # when that came
    event_ms: int | None = None                 # when its newest event came,
    event_kind: str | None = None               # and what it was


def with_status(device: DeviceRecord, status: ward_side.Status, when: Arrival) -> DeviceRecord | None:
    """After a status; None for the status of a connection that has been replaced."""
    if is_of_the_past(device.standing, status.online, status.boot, status.conn):
        return None
    ends_ms = until_ms(when.now_ms, STATUS_LIVES_S, when.left_s) if status.online else None
    standing = replace(device.standing, online=status.online, why=status.why, boot=status.boot, conn=status.conn,
                       status_until_ms=ends_ms)
    turns = device.turns.step(status.boot, status.conn, when.now_ms) if status.online else device.turns
    return replace(device, standing=standing, turns=turns, clock=status.clock or device.clock)


def removed(device: DeviceRecord) -> DeviceRecord:
    """After its retained status was deleted."""
    return replace(device, standing=replace(device.standing, online=False, why=WHY_REMOVED, status_until_ms=None))


def with_birth(device: DeviceRecord, birth: ward_side.Birth, text: str) -> DeviceRecord:
    """After a birth. It says whether reports of health come at all."""
    standing = device.standing
    if "health" in birth.withheld:
        standing = replace(standing, health_until_ms=WITHHELD_MS)
    elif standing.health_until_ms == WITHHELD_MS:
        standing = replace(standing, health_until_ms=None)
    return replace(device, birth=text, clock=birth.clock, standing=standing)


def with_health(device: DeviceRecord, health: ward_side.Health, text: str, when: Arrival) -> DeviceRecord:
    """After a health report."""
    ends_ms = until_ms(when.now_ms, HEALTH_LIVES * health.int_s, when.left_s)
    return replace(device, health=text, health_ms=when.now_ms, clock=health.clock,
                   standing=replace(device.standing, health_until_ms=ends_ms))


def with_event(device: DeviceRecord, event: ward_side.Event, when: Arrival) -> DeviceRecord:
    """After a new event; a `gap` event also settles the seqs that it names as missing."""
    reach = device.reach
    for first, last in event.data.missing:
        if first <= last < event.seq:
            reach = reach.with_seqs(first, last, when.now_ms)
    newest = event.seq > device.reach.top
    return replace(device, reach=reach.with_seqs(event.seq, event.seq, when.now_ms),
                   event_ms=when.now_ms if newest else device.event_ms,
                   event_kind=event.data.kind if newest else device.event_kind)
