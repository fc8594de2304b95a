"""The device's two clocks.

Durations and order come from the boot-time clock, which cannot be set. The wall clock is for people and may be
wrong. So every stored moment has both times, the boot, and how far the wall clock can be trusted.
"""
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.host import clock_state

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Instant:
    """A stored moment: `boot` and `mono_ms` give its order, `wall_ms` its date, `clock` how far to trust the date."""

    boot: str       # the first 8 hex digits of the kernel's boot id
    mono_ms: int    # since boot, including suspend
    wall_ms: int    # since 1970, UTC
    clock: str      # unset | saved | rtc | ntp


class Clock(Protocol):
    """Gives the time; tests use a clock that they step by hand."""

    def mono_s(self) -> float:
        """Returns the seconds since boot, including suspend."""

    def now(self) -> Instant:
        """Returns this moment."""


class SystemClock:
    """The clocks of this machine."""

    def __init__(self, read_state: Callable[[], str] = clock_state.read) -> None:
        self.boot = BOOT_ID.read_text().replace("-", "")[:8]
        self._read_state = read_state

    def mono_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> Instant:
        return Instant(self.boot, int(self.mono_s() * 1000), time.time_ns() // 1_000_000, self._read_state())


def week_min(wall_ms: int) -> int:
    """Returns the minutes since Monday 0:00 in the device's time zone, which may change while the process runs."""
    time.tzset()
    local = time.localtime(wall_ms / 1000)
    return local.tm_wday * 1440 + local.tm_hour * 60 + local.tm_min


def at(now: Instant, mono_ms: int) -> Instant:
    """Returns another moment of the same boot: both clocks move by the same amount."""
    return Instant(now.boot, mono_ms, now.wall_ms + mono_ms - now.mono_ms, now.clock)
