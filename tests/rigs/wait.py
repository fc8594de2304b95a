"""Waiting in tests: for a condition, never for a time; and ports: those that nobody uses, those that somebody does."""
import contextlib
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOR_CONNECTIONS = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])    # and above
CHANCE = random.SystemRandom()      # Hypothesis sets the other one back to the same numbers


def until(condition: Callable[[], Any], within_s: float = 10.0, what: str = "") -> Any:
    """Wait until `condition` gives something true, and return it; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has now, and that no connection gets by chance later.

    So a process that was killed finds it free again.
    """
    while True:
        port = CHANCE.randrange(10_000, FOR_CONNECTIONS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts(port: int) -> bool:
    """Whether somebody listens on this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
