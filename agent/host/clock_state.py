"""How far the wall clock is to be believed: unset | saved | rtc | ntp."""
import contextlib
import ctypes
import functools
import time
from pathlib import Path

# No agent ran before this day (2026-01-01 UTC), so an earlier clock was never set.
EPOCH_WALL_S = 1_767_225_600
TIME_ERROR = 5                  # linux/timex.h: the clock is not synchronised
RTC_AGREES_S = 10.0
RTC_HOLDS_S = 60.0              # a battery clock's word, unless somebody sets the wall clock meanwhile
SYNCHRONIZED = "run/systemd/timesync/synchronized"      # made by systemd-timesyncd at the first answer of this boot


class Timex(ctypes.Structure):
    """The kernel's `struct timex` (linux/timex.h), its first fields and its room: all zero asks and sets nothing."""

    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror_us", ctypes.c_long), ("rest", ctypes.c_byte * 480)]


def read(root: Path = Path("/"), wall_s: float | None = None) -> str:
    """The clock's state now.

    `ntp`: the kernel's clock is being disciplined. `rtc`: a battery clock set it at boot and still agrees. `saved`:
    later than our epoch, but nobody vouches for it (systemd carries the last time over a power cut). `unset`: before.
    """
    wall_s = time.time() if wall_s is None else wall_s
    if wall_s < EPOCH_WALL_S:
        return "unset"
    if _synchronised(root):
        return "ntp"
    mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return "rtc" if _set_by_rtc(root, round(wall_s - mono_s), int(mono_s // RTC_HOLDS_S)) else "saved"


def _synchronised(root: Path) -> bool:
    """The kernel's word, which a step of the clock takes back; timesyncd's where a sandbox forbids the question."""
    if root == Path("/") and (state := _kernel_state()) is not None:
        return state != TIME_ERROR
    return (root / SYNCHRONIZED).exists()


def error_ms() -> int | None:
    """How far off the clock is at most, by the word of whoever disciplines it; it grows from one answer to the next.

    None while it is not synchronised, or where a sandbox forbids the question.
    """
    told = Timex()
    state = _libc().adjtimex(ctypes.byref(told))
    return None if state in (-1, TIME_ERROR) else -(-told.maxerror_us // 1000)


def _kernel_state() -> int | None:
    state = _libc().adjtimex(ctypes.byref(Timex()))
    return None if state < 0 else state


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.lru_cache(maxsize=1)
def _set_by_rtc(root: Path, ahead_s: int, period: int) -> bool:
    """Whether the kernel took the time from a battery clock; one with a flat battery restarts in 1970 and disagrees.

    The time is asked for with each moment that is noted, so the answer is kept: for a period, and as long as the wall
    clock is `ahead_s` of the boot-time clock.
    """
    wall_s = ahead_s + time.clock_gettime(time.CLOCK_BOOTTIME)
    for rtc in (root / "sys/class/rtc").glob("rtc*"):
        with contextlib.suppress(OSError, ValueError):
            if (rtc / "hctosys").read_text().strip() == "1":
                return abs(int((rtc / "since_epoch").read_text()) - wall_s) < RTC_AGREES_S
    return False
