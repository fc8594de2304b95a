"""The ward's record of one device, and its successor after each message. Pure.

Records are never changed in place, so a commit that fails leaves nothing half done.

A record also says whether two devices have one certificate, as after a card was copied. They throw each other out at
the broker, so their boots alternate. A single device never returns to a boot that it has left: a flapping Wi-Fi is new
connections of one boot, and a power cut is a new boot. What a broker delivers twice are connections that were there
before.

And it knows the gaps in a device's seqs: each seq above the first one that the ward ever had must come, or be named by
a `gap` event.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from agent.ward import ward_side
from agent.ward.presence import HEALTH_LIVES, STATUS_LIVES_S, WITHHELD_MS, Standing, is_of_the_past, until_ms

RETURNS_N = 2                   # of each boot: a single return might be a late message
LASTS_MS = 3_600_000            # how long a device counts as one of two


@dataclass(frozen=True, slots=True)
class SeenBoot:
    """A boot by the first digits of its id, and its highest known connection."""

    id: str = ""
    conn: int = 0


@dataclass(frozen=True, slots=True)
class BootTurns:
    """The boot at the broker, the one before it, and how often they have alternated without a third."""

    present: SeenBoot = SeenBoot()
    former: SeenBoot = SeenBoot()
    returns_n: int = 0
    found_ms: int = 0           # when it was last the turn of a second device with this one's certificate; 0: never

    def step(self, boot: str, conn: int, now_ms: int) -> "BootTurns":
        if boot == self.present.id:
            return replace(self, present=SeenBoot(boot, max(conn, self.present.conn)))
        if boot != self.former.id:
            return BootTurns(SeenBoot(boot, conn), self.present, found_ms=self.found_ms)
        if conn <= self.former.conn:
            return self
        returns_n = self.returns_n + 1
        return BootTurns(SeenBoot(boot, conn), self.present, returns_n,
                         now_ms if returns_n >= RETURNS_N else self.found_ms)

    def is_of_two(self, now_ms: int) -> bool:
        return bool(self.found_ms) and now_ms - self.found_ms < LASTS_MS


PATIENCE_MS = 60_000            # an event that is merely late arrives within this
AGAIN_MAX_MS = 3_600_000        # asked for again after 1, 2, 4 ... min, up to this
GAPS_MAX = 1000                # of one device; beyond it the oldest are given up


@dataclass(frozen=True, slots=True)
class SeqGap:
    """The seqs `first`..`last` have not come; ask for them at `due_ms` (UTC ms of the ward)."""

    first: int
    last: int
    due_ms: int
    asked_n: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    top: int = 0                        # its highest seq; 0: none yet
    gaps: tuple[SeqGap, ...] = ()        # by seq

    def with_seqs(self, first: int, last: int, now_ms: int) -> "Reach":
        """After these seqs have come, or will never come."""
        gaps = [part for gap in self.gaps for part in _without(gap, first, last)]
        if self.top and first > self.top + 1:
            gaps.append(SeqGap(self.top + 1, first - 1, now_ms + PATIENCE_MS))
        return Reach(max(self.top, last), tuple(gaps[-GAPS_MAX:]))

    def due(self, now_ms: int) -> list[SeqGap]:
        return [gap for gap in self.gaps if gap.due_ms <= now_ms]

    def asked(self, asked: Iterable[SeqGap], now_ms: int) -> "Reach":
        done = set(asked)
        return replace(self, gaps=tuple(_later(gap, now_ms) if gap in done else gap for gap in self.gaps))


def _without(gap: SeqGap, first: int, last: int) -> list[SeqGap]:
    """Returns the parts of `gap` outside `first`..`last`: none, one or two."""
    if last < gap.first or gap.last < first:
        return [gap]
    left = replace(gap, last=first - 1)
    right = replace(gap, first=last + 1)
    return [each for each in (left, right) if each.first <= each.last]


def _later(gap: SeqGap, now_ms: int) -> SeqGap:
    wait_ms = min(AGAIN_MAX_MS, PATIENCE_MS * 2 ** min(gap.asked_n, 16))
    return replace(gap, due_ms=now_ms + wait_ms, asked_n=gap.asked_n + 1)


WHY_REMOVED = "removed"         # its retained messages were deleted, as for a stolen device


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message came (UTC ms of the ward), and the rest of its life by the broker."""

    now_ms: int
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceRecord:
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
    """Returns None for the status of a connection that has been replaced."""
    if is_of_the_past(device.standing, status.online, status.boot, status.conn):
        return None
    ends_ms = until_ms(when.now_ms, STATUS_LIVES_S, when.left_s) if status.online else None
    standing = replace(device.standing, online=status.online, why=status.why, boot=status.boot, conn=status.conn,
                       status_until_ms=ends_ms)
    turns = device.turns.step(status.boot, status.conn, when.now_ms) if status.online else device.turns
    return replace(device, standing=standing, turns=turns, clock=status.clock or device.clock)


def removed(device: DeviceRecord) -> DeviceRecord:
    return replace(device, standing=replace(device.standing, online=False, why=WHY_REMOVED, status_until_ms=None))


def with_birth(device: DeviceRecord, birth: ward_side.Birth, text: str) -> DeviceRecord:
    """A birth says whether health reports come at all."""
    standing = device.standing
    if "health" in birth.withheld:
        standing = replace(standing, health_until_ms=WITHHELD_MS)
    elif standing.health_until_ms == WITHHELD_MS:
        standing = replace(standing, health_until_ms=None)
    return replace(device, birth=text, clock=birth.clock, standing=standing)


def with_health(device: DeviceRecord, health: ward_side.Health, text: str, when: Arrival) -> DeviceRecord:
    ends_ms = until_ms(when.now_ms, HEALTH_LIVES * health.int_s, when.left_s)
    return replace(device, health=text, health_ms=when.now_ms, clock=health.clock,
                   standing=replace(device.standing, health_until_ms=ends_ms))


def with_event(device: DeviceRecord, event: ward_side.Event, when: Arrival) -> DeviceRecord:
    """A `gap` event also settles the seqs that it names as missing."""
    reach = device.reach
    for first, last in event.data.missing:
        if first <= last < event.seq:
            reach = reach.with_seqs(first, last, when.now_ms)
    newest = event.seq > device.reach.top
    return replace(device, reach=reach.with_seqs(event.seq, event.seq, when.now_ms),
                   event_ms=when.now_ms if newest else device.event_ms,
                   event_kind=event.data.kind if newest else device.event_kind)


SOON_MS = 30 * 86_400_000


class _Ending(msgspec.Struct, frozen=True):
    cert_not_after: str | None = None


def left_days(not_after: str | None, now_ms: int) -> int | None:
    """Returns whole days until that moment (RFC 3339), negative after it; None if it is far off or not a time."""
    try:
        left_ms = datetime.fromisoformat(not_after or "").timestamp() * 1000 - now_ms
    except ValueError:
        return None
    return int(left_ms // 86_400_000) if left_ms < SOON_MS else None


def ending_n(devices: Iterable[DeviceRecord], now_ms: int) -> int:
    births = (msgspec.json.decode(device.birth, type=_Ending) for device in devices if device.birth)
    return sum(left_days(birth.cert_not_after, now_ms) is not None for birth in births)
