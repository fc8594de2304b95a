"""Requests of a process to the kernel, mostly by prctl(2): small pages, less memory, ending with its parent."""
import contextlib
import ctypes
import os
import re
import signal
from pathlib import Path

SMALL_PAGES_ONLY = 41       # PR_SET_THP_DISABLE, prctl(2)
PR_SET_PDEATHSIG = 1
SETTLED_S = 20.0            # after its start, a role has imported and opened most things; later ones follow, so
GIVE_BACK_EVERY_S = 640.0   # free memory is returned then, and each time after twice as long, up to this
MADV_DONTNEED = 4           # madvise(2)
SMAPS = Path("/proc/self/smaps")        # proc(5): a head for each mapping, then its counts
HEAD, FILE, CHANGED = re.compile("[0-9a-f]+-"), re.compile(r" r-[x-]p .* /"), re.compile(r"(Anonymous|Swap): +[1-9]")
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
    """Returns to the kernel what a start needed: free memory, and pages of programs and libraries, of which a start
    touches many and the work after it few. The kernel maps those anew that are used, from its page cache."""

    def __init__(self, born_mono_s: float = 0) -> None:
        self._every_s, self._due_mono_s, self._before = SETTLED_S, born_mono_s + SETTLED_S, _unchanged()

    def turn(self, now_mono_s: float) -> None:
        if now_mono_s >= self._due_mono_s:
            self._every_s = min(2 * self._every_s, GIVE_BACK_EVERY_S)
            self._due_mono_s = now_mono_s + self._every_s
            self.unmap()
            give_back_memory()

    def unmap(self) -> None:
        """Unmaps what was already there at the last call: the loader may be at work on what is new."""
        now = _unchanged()
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        for place in now & self._before:
            begin, end = (int(edge, 16) for edge in place.partition(" ")[0].split("-"))
            madvise(begin, end - begin, MADV_DONTNEED)
        self._before = now


def _unchanged() -> set[str]:
    """Returns the mappings of files that nobody may write, and of which no page differs from the file."""
    found, place = set[str](), ""
    with contextlib.suppress(OSError), SMAPS.open() as lines:       # some kernels do not tell
        for line in lines:
            if HEAD.match(line):
                place = line if FILE.search(line) else ""
                found |= {place} if place else set()
            elif CHANGED.match(line):
                found.discard(place)
    return found


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
