"""How a process is asked to start anew: a file `<unit>.restart` in the link's folder, which it reads at a heartbeat.

The file says when it was asked for, so it ends no process that began later. The process ends in order with exit code
0, and systemd or `taimat run` starts it again.
"""
import contextlib
import os
from pathlib import Path

from agent.host.clock import Instant
from agent.host.files import open_plain, write_whole
from agent.host.runtime import own

ASKER = "link"
LARGEST_B = 64


def ask(runtime: Path, unit: str, now: Instant) -> None:
    """Ask the unit's process to end; for the link. Raises OSError."""
    write_whole(own(runtime, ASKER) / f"{unit}.restart", f"{now.boot} {now.mono_ms}".encode())


def is_asked(runtime: Path, unit: str, born: Instant, now_mono_ms: int) -> bool:
    """Whether that was asked for since `born`, when the unit's process began, until now."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        handle = open_plain(runtime / ASKER / f"{unit}.restart")
        try:
            boot, _, mono_ms = os.read(handle, LARGEST_B).decode().partition(" ")
        finally:
            os.close(handle)
        asked = boot == born.boot and mono_ms.isascii() and mono_ms.isdecimal()
        return asked and born.mono_ms < int(mono_ms) <= now_mono_ms
    return False
