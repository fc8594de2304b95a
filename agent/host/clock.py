"""The two clocks of a device, handed to whoever needs the time.

Durations and order come from the boot-time clock, which no one can set; the wall clock is for people and may be wrong,
so every stored moment carries both, with the boot they belong to and how far the wall clock is to be believed.
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
    """A moment as stored: `boot` and `mono_ms` order it for certain, `wall_ms` (UTC) dates it as `clock` allows."""

    boot: str       # the first 8 hex digits of the kernel's boot id
    mono_ms: int    # since boot, suspend included
    wall_ms: int    # since 1970, UTC
    clock: str      # unset | saved | rtc | ntp


class Clock(Protocol):
    """What the rooms ask for the time; tests hand in one that they step by hand."""

    def mono_s(self) -> float:
        """Seconds since boot, suspend included."""

    def now(self) -> Instant:
        """This moment, as it is to be stored."""


class SystemClock:
    """The machine's own clocks."""

    def __init__(self, read_state: Callable[[], str] = clock_state.read) -> None:
        self.boot = BOOT_ID.read_text().replace("-", "")[:8]
        self._read_state = read_state

    def mono_s(self) -> float:
        """Seconds since boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> Instant:
        """This moment, as it is to be stored."""
        return Instant(self.boot, int(self.mono_s() * 1000), time.time_ns() // 1_000_000, self._read_state())


def week_min(wall_ms: int) -> int:
    """Minutes since Monday 0:00 in the device's time zone, which may be set while we run."""
    time.tzset()
    local = time.localtime(wall_ms / 1000)
    return local.tm_wday * 1440 + local.tm_hour * 60 + local.tm_min


def at(now: Instant, mono_ms: int) -> Instant:
    """The same boot at another moment: the wall clock is moved by as much as the monotonic one."""
    return Instant(now.boot, mono_ms, now.wall_ms + mono_ms - now.mono_ms, now.clock)
