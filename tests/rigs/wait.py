"""Waiting in tests: for a condition, never for a time; and ports: those that nobody uses, those that somebody does."""
import socket
import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], within_s: float = 10.0, what: str = "") -> Any:
    """Wait until `condition` gives something true, and return it; fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether somebody listens on this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
