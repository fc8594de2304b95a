"""How a process is asked to start anew: a file `<unit>.restart` in the runtime folder, which it reads at a heartbeat.

The file says when it was asked for: a request that no process has seen is void soon, and ends no later start. The
process ends in order with exit code 0, and systemd or `taimat run` starts it again.
"""
import contextlib
import os
from pathlib import Path

from agent.host.clock import Instant

FRESH_MS = 60_000
LARGEST_B = 64


def ask(runtime: Path, unit: str, now: Instant) -> None:
    """Ask the unit's process to end. Raises OSError."""
    part = runtime / f".{unit}.restart"
    part.write_text(f"{now.boot} {now.mono_ms}")
    part.rename(runtime / f"{unit}.restart")


def is_asked(runtime: Path, unit: str, now: Instant) -> bool:
    """Whether that was asked for just now; the request is gone then."""
    path = runtime / f"{unit}.restart"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            boot, _, mono_ms = os.read(handle, LARGEST_B).decode().partition(" ")
        finally:
            os.close(handle)
            path.unlink()
        return boot == now.boot and mono_ms.isdecimal() and 0 <= now.mono_ms - int(mono_ms) <= FRESH_MS
    return False
