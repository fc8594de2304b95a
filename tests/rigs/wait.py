"""Waiting in tests: for a condition, never for a time; and ports: that nobody has, and that nobody answers."""
import contextlib
import functools
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HANG_S = 120.0                      # only a hang reaches it, however busy the machine is; below pytest's own limit
LOAD = Path("/proc/loadavg")        # its fourth field: threads that run or want to
CHANCE = random.SystemRandom()      # Hypothesis sets the other one back to the same numbers


def until(condition: Callable[[], Any], what: str = "", limit_s: float = HANG_S) -> Any:
    """Wait until `condition` gives something true, and return it; AssertionError names `what` after `limit_s`.

    The longer it has waited, the less often it looks, ten times a second at least: looks cost what others wait for.
    """
    began_s = time.monotonic()
    while not (found := condition()):
        waited_s = time.monotonic() - began_s
        assert waited_s < limit_s, f"not within {limit_s:g} s: {what or condition}"
        time.sleep(min(0.1, max(0.02, waited_s / 20)))
    return found


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has now, and that no connection gets by chance later.

    So a process that was killed finds it free again.
    """
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [*range(min(10_000, first), first), *range(last + 1, 65_536)]
    while True:
        port = CHANCE.choice(ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def deaf_port() -> int:
    """A TCP port of 127.0.0.1 that refuses every connection, and that nobody else gets while these tests run."""
    deaf_port.socket = socket.socket()
    deaf_port.socket.bind(("127.0.0.1", free_port()))
    return deaf_port.socket.getsockname()[1]


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on this TCP port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class Stopwatch(threading.Thread):
    """Measures how long something takes, whatever else the machine does; for claims of the kind "within 3 s".

    While more threads want to run than there are processors, time counts less by that factor, in `fair_s`; all of it is
    in `wall_s`. A context manager.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.fair_s = self.wall_s = 0.0
        self._over = threading.Event()

    @property
    def slowness(self) -> float:
        """How many times slower this machine was than one with nothing else to do."""
        return self.wall_s / self.fair_s if self.fair_s else 1.0

    def run(self) -> None:
        """Look 50 times a second."""
        before_s, processors_n = time.monotonic(), len(os.sched_getaffinity(0))
        while not self._over.wait(0.02):
            now_s, others_n = time.monotonic(), int(LOAD.read_text().split()[3].partition("/")[0]) - 1
            self.wall_s += now_s - before_s
            self.fair_s += (now_s - before_s) / max(1.0, others_n / processors_n)
            before_s = now_s

    def __enter__(self) -> "Stopwatch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
