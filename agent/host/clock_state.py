"""Tells how far the wall clock can be trusted: unset | saved | rtc | ntp."""
import contextlib
import ctypes
import functools
import time
from pathlib import Path

# No agent ran before this day (2026-01-01 UTC), so an earlier clock was never set.
EPOCH_WALL_S = 1_767_225_600
TIME_ERROR = 5                  # linux/timex.h: the clock is not synchronised
RTC_AGREES_S = 10.0
RTC_HOLDS_S = 60.0              # trust a battery clock this long, unless the wall clock is set meanwhile
SYNCHRONIZED = "run/systemd/timesync/synchronized"      # systemd-timesyncd makes it at the first answer of this boot


class Timex(ctypes.Structure):
    """The kernel's `struct timex` (linux/timex.h): its first fields and its size. All zero reads and sets nothing."""

    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror_us", ctypes.c_long), ("rest", ctypes.c_byte * 480)]


def read(root: Path = Path("/"), wall_s: float | None = None) -> str:
    """Returns the clock's state at `wall_s` (seconds since 1970; None: now).

    `ntp`: the kernel synchronises the clock. `rtc`: a battery clock set it at boot and still agrees. `saved`: later
    than our epoch, but unconfirmed, because systemd restores the last time after a power cut. `unset`: earlier.
    """
    wall_s = time.time() if wall_s is None else wall_s
    if wall_s < EPOCH_WALL_S:
        return "unset"
    if _synchronised(root):
        return "ntp"
    mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return "rtc" if _set_by_rtc(root, round(wall_s - mono_s), int(mono_s // RTC_HOLDS_S)) else "saved"


def _synchronised(root: Path) -> bool:
    """Asks the kernel, which notices if the clock is stepped; asks timesyncd if a sandbox forbids that."""
    if root == Path("/") and (state := _kernel_state()) is not None:
        return state != TIME_ERROR
    return (root / SYNCHRONIZED).exists()


def error_ms() -> int | None:
    """Returns the clock's largest error in ms, as the kernel estimates it; None if unsynchronised or unknown."""
    timex = Timex()
    state = _libc().adjtimex(ctypes.byref(timex))
    return None if state in (-1, TIME_ERROR) else -(-timex.maxerror_us // 1000)


def _kernel_state() -> int | None:
    state = _libc().adjtimex(ctypes.byref(Timex()))
    return None if state < 0 else state


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.lru_cache(maxsize=1)
def _set_by_rtc(root: Path, ahead_s: int, period: int) -> bool:
    """Whether the kernel took the time from a battery clock. One with a flat battery restarts in 1970 and disagrees.

    Every stored moment asks this, so the answer is cached for a `period`, as long as the wall clock stays `ahead_s`
    ahead of the boot-time clock.
    """
    wall_s = ahead_s + time.clock_gettime(time.CLOCK_BOOTTIME)
    for rtc in (root / "sys/class/rtc").glob("rtc*"):
        with contextlib.suppress(OSError, ValueError):
            if (rtc / "hctosys").read_text().strip() == "1":
                return abs(int((rtc / "since_epoch").read_text()) - wall_s) < RTC_AGREES_S
    return False
