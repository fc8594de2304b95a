"""A device's presence by the contract's rules, from its last messages and a moment. Pure.

Online means: its status says so and has not expired, and its health has not either, unless the household withholds it.
All moments are UTC ms of the ward.
"""
from dataclasses import dataclass
from typing import Literal

State = Literal["online", "stale", "offline", "never-seen", "maintenance"]
STATUS_LIVES_S = 1200           # the life of an "online" that is not repeated
HEALTH_LIVES = 3                # intervals
WITHHELD_MS = 2**62             # as the end of the last report: none comes, for the household keeps that to itself
WHY_EXPIRED, WHY_SILENT, WHY_NONE = "expired", "no health", "no status yet"


@dataclass(frozen=True, slots=True)
class Standing:
    online: bool | None = None          # None before the first status
    why: str | None = None              # the reason of an "offline"
    boot: str | None = None
    conn: int = 0
    status_until_ms: int | None = None  # when "online" expires
    health_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DevicePresence:
    state: State
    why: str | None = None


def presence(standing: Standing, now_ms: int, maintained: bool = False) -> DevicePresence:
    """Returns the presence at this moment. A `maintained` device is not shown as away."""
    found = _found(standing, now_ms)
    if maintained and found.state != "online":
        return DevicePresence("maintenance", ": ".join(filter(None, (found.state, found.why))))
    return found


def _found(standing: Standing, now_ms: int) -> DevicePresence:
    if standing.online is None:
        return DevicePresence("never-seen", WHY_NONE)
    if not standing.online:
        return DevicePresence("offline", standing.why)
    if standing.status_until_ms is None or now_ms >= standing.status_until_ms:
        return DevicePresence("offline", WHY_EXPIRED)
    if standing.health_until_ms is None or now_ms >= standing.health_until_ms:
        return DevicePresence("stale", WHY_SILENT)
    return DevicePresence("online")


def is_of_the_past(standing: Standing, online: bool, boot: str, conn: int) -> bool:
    """Whether a status belongs to a connection that has been replaced: a will may come after its device is back.

    `conn` restarts only with a new card, which is a new boot: an "online" of another boot is believed, an "offline"
    with a smaller `conn` never.
    """
    if standing.online is None or conn >= standing.conn:
        return False
    return not online or boot == standing.boot


def until_ms(now_ms: int, lives_s: int, left_s: int | None) -> int:
    """Returns when a message that came now expires: in `left_s` by the broker, at most in `lives_s`."""
    return now_ms + 1000 * min(lives_s, lives_s if left_s is None else left_s)
