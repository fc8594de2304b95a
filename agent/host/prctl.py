"""Requests of a process to the kernel, mostly by prctl(2): small pages, less memory, ending with its parent."""
import contextlib
import ctypes
import os
import signal
from pathlib import Path

SMALL_PAGES_ONLY = 41       # PR_SET_THP_DISABLE, prctl(2)
PR_SET_PDEATHSIG = 1
SETTLED_S = 20.0            # after its start, a role has imported and opened most things; later ones follow, so
GIVE_BACK_EVERY_S = 640.0   # free memory is returned then, and each time after twice as long, up to this
FIRST_TO_GO = "1000"        # the first to be killed when memory runs out: proc(5)


def small_pages_only() -> bool:
    """Refuses pages of 2 MB, which x264 asks for and some kernels give to all; much of each stays unused. x264 is not
    slower (720p: 4 MB less). Returns False if the kernel has no such pages."""
    return ctypes.CDLL(None).prctl(SMALL_PAGES_ONLY, 1, 0, 0, 0) == 0


def give_back_memory() -> None:
    """Returns all free malloc pages to the kernel (malloc_trim(3)); takes a few milliseconds. glibc keeps the memory
    that imports and opening decoders needed for a moment. Does nothing with another libc."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


class MemoryUpkeep:
    """Returns to the kernel the memory that a start needed and that is free now."""

    def __init__(self, born_mono_s: float) -> None:
        self._every_s, self._due_mono_s = SETTLED_S, born_mono_s + SETTLED_S

    def turn(self, now_mono_s: float) -> None:
        if now_mono_s >= self._due_mono_s:
            self._every_s = min(2 * self._every_s, GIVE_BACK_EVERY_S)
            self._due_mono_s = now_mono_s + self._every_s
            give_back_memory()


def die_with_parent() -> None:
    """Makes the kernel end this process when its parent ends (prctl(2)). For a child, before its program starts."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def step_back() -> None:
    """Lowers this process's priority, as far as its sandbox allows, and makes it the first to be killed for memory."""
    die_with_parent()
    small_pages_only()
    with contextlib.suppress(OSError):
        os.nice(19)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
