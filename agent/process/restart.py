"""Asks a process to restart: a file `<unit>.restart` in the link's folder, read at each heartbeat.

The file holds the time of the request, so it does not end a process that began later. The process ends in order with
exit code 0, and systemd or `taimat run` starts it again.
"""
import contextlib
from pathlib import Path

from agent.host.clock import Instant
from agent.host.files import read_plain, write_whole
from agent.host.runtime import own

ASKER = "link"
LARGEST_B = 64


def ask(runtime: Path, unit: str, now: Instant) -> None:
    """Asks the unit's process to end; for the link. Raises OSError."""
    write_whole(own(runtime, ASKER) / f"{unit}.restart", f"{now.boot} {now.mono_ms}".encode())


def is_asked(runtime: Path, unit: str, born: Instant, now_mono_ms: int) -> bool:
    """Whether that was asked for between `born`, the begin of the unit's process, and now."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        boot, _, mono_ms = read_plain(runtime / ASKER / f"{unit}.restart", LARGEST_B).decode().partition(" ")
        asked = boot == born.boot and mono_ms.isascii() and mono_ms.isdecimal()
        return asked and born.mono_ms < int(mono_ms) <= now_mono_ms
    return False
