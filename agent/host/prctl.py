"""What a process asks for itself, mostly by prctl(2): small pages, free memory gone, an end with its parent."""
import contextlib
import ctypes
import os
import signal
from pathlib import Path

SMALL_PAGES_ONLY = 41       # PR_SET_THP_DISABLE, prctl(2)
PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "1000"        # when memory runs out: proc(5)


def small_pages_only() -> bool:
    """Take no pages of 2 MB, which x264 asks for and some kernels give everybody: much of each lies idle.

    x264 is no slower for it (720p: 4 MB less). Returns False where the kernel knows no such pages, which is as good.
    """
    return ctypes.CDLL(None).prctl(SMALL_PAGES_ONLY, 1, 0, 0, 0) == 0


def give_back_memory() -> None:
    """Hand the kernel every free page of malloc's, not only those at its end (malloc_trim(3)).

    glibc keeps what imports and the opening of decoders needed for a moment. Takes a few milliseconds. Another libc has
    no such call.
    """
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def die_with_parent() -> None:
    """Runs in the child, before its program: the kernel ends it when its parent is gone (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def step_back() -> None:
    """Run behind everything else, and be the first to go. A sandbox may refuse some of it; then its unit's word holds.
    """
    die_with_parent()
    small_pages_only()
    with contextlib.suppress(OSError):
        os.nice(19)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
