"""Whether a device is there, by the contract's rules. Pure: what it told, and until when that holds, against a moment.

Online means: its status says so and has not expired, and its health has not either. All moments are UTC ms of the ward.
"""
from dataclasses import dataclass
from typing import Literal

State = Literal["online", "stale", "offline", "never-seen", "maintenance"]
STATUS_LIVES_S = 1200           # an "online" that is not repeated
HEALTH_LIVES = 3                # intervals
WHY_EXPIRED, WHY_SILENT, WHY_NONE = "expired", "no health", "no status yet"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a device's latest status and health say."""

    online: bool | None = None          # None: there never was a status
    why: str | None = None              # of an offline
    boot: str | None = None
    conn: int = 0
    status_until_ms: int | None = None  # when "online" expires
    health_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PresenceVerdict:
    """The verdict, and why it is not "online"."""

    state: State
    why: str | None = None


def presence(standing: Standing, now_ms: int, maintained: bool = False) -> PresenceVerdict:
    """The verdict at this moment. While somebody works on it (`maintained`) nobody is to wonder that it is away."""
    found = _found(standing, now_ms)
    if maintained and found.state != "online":
        return PresenceVerdict("maintenance", ": ".join(filter(None, (found.state, found.why))))
    return found


def _found(standing: Standing, now_ms: int) -> PresenceVerdict:
    if standing.online is None:
        return PresenceVerdict("never-seen", WHY_NONE)
    if not standing.online:
        return PresenceVerdict("offline", standing.why)
    if standing.status_until_ms is None or now_ms >= standing.status_until_ms:
        return PresenceVerdict("offline", WHY_EXPIRED)
    if standing.health_until_ms is None or now_ms >= standing.health_until_ms:
        return PresenceVerdict("stale", WHY_SILENT)
    return PresenceVerdict("online")


def is_of_the_past(standing: Standing, online: bool, boot: str, conn: int) -> bool:
    """Whether a status is older than the one that is known: the word of a connection that has been replaced.

    A will may be published after its device is back. `conn` starts anew only with a new card, which is a new boot:
    an "online" of another boot is believed, an "offline" with a smaller `conn` never.
    """
    if standing.online is None or conn >= standing.conn:
        return False
    return not online or boot == standing.boot


def until_ms(now_ms: int, lives_s: int, left_s: int | None) -> int:
    """When a message ends that came now: by what the broker says is `left_s` of its life, at most `lives_s`."""
    return now_ms + 1000 * min(lives_s, lives_s if left_s is None else left_s)
