"""How much of the machine others take while we measure: beside them a figure is none to judge by."""
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.benches.processes import TICKS_S, cpu_s

SHARE_MAX = 0.1             # of all processors
IDLE_FIELDS = (3, 4)        # of /proc/stat: idle, and waiting for a disk (proc(5))
TWICE_FIELDS = (8, 9)       # guests, which are in the first two as well


class Others:
    """The share of all processors that went to processes which we did not start; `share` once it is over."""

    share = 0.0

    @property
    def too_much(self) -> bool:
        """Whether figures of that time can't be judged."""
        return self.share > SHARE_MAX


@contextlib.contextmanager
def others() -> Iterator[Others]:
    """Meanwhile they are watched."""
    seen, began_s, busy_s, ours_s = Others(), time.monotonic(), _busy_s(), cpu_s(os.getpid())
    yield seen
    took_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
    seen.share = max(0.0, (_busy_s() - busy_s - (cpu_s(os.getpid()) - ours_s)) / took_s)


def _busy_s() -> float:
    """Seconds that all processors together have worked since the boot."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(value for at, value in enumerate(fields) if at not in IDLE_FIELDS + TWICE_FIELDS) / TICKS_S
