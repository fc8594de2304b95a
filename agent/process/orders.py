"""Orders for a running process: restart and log level by files in the link's folder, and reload by SIGHUP.

Each process reads the files at its heartbeat. `<unit>.restart` holds the time of the request, so it does not end a
process that began later. The process ends in order with exit code 0, and systemd or `taimat run` starts it again. The
folder is in memory: a boot deletes the log level that the ward wanted, until the link is up again.
"""
import contextlib
import logging
import signal
from pathlib import Path

from agent.core.household.ward_settings import LEVELS
from agent.host.clock import Instant
from agent.host.files import read_plain, write_whole
from agent.host.runtime import own

LINK = "link"               # the role that writes the files
LEVEL_FILE = "log.level"
RESTART_B_MAX, LEVEL_B_MAX = 64, 16


def ask_restart(runtime: Path, unit: str, now: Instant) -> None:
    """Asks the unit's process to end; for the link. Raises OSError."""
    write_whole(own(runtime, LINK) / f"{unit}.restart", f"{now.boot} {now.mono_ms}".encode())


def is_restart_asked(runtime: Path, unit: str, born: Instant, now_mono_ms: int) -> bool:
    """Whether that was asked for between `born`, the begin of the unit's process, and now."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        boot, _, mono_ms = read_plain(runtime / LINK / f"{unit}.restart", RESTART_B_MAX).decode().partition(" ")
        asked = boot == born.boot and mono_ms.isascii() and mono_ms.isdecimal()
        return asked and born.mono_ms < int(mono_ms) <= now_mono_ms
    return False


def set_log_level(runtime: Path, level: str | None) -> None:
    """For the link: sets the log level of all processes; None: the level in their settings. Raises OSError."""
    file = own(runtime, LINK) / LEVEL_FILE
    if level is None:
        file.unlink(missing_ok=True)
    else:
        write_whole(file, level.encode())


class LogLevel:
    """The log level of this process; it starts with the level of its settings."""

    def __init__(self, runtime: Path) -> None:
        self._path, self._usual = runtime / LINK / LEVEL_FILE, logging.getLogger().level
        self._applied: str | None = None

    def apply(self) -> None:
        word = self._word()
        if word != self._applied:
            self._applied = word
            logging.getLogger().setLevel(self._usual if word is None else word.upper())

    def _word(self) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            word = read_plain(self._path, LEVEL_B_MAX).decode()
            return word if word in LEVELS else None
        return None


class Reload:
    """Whether to read the configuration again, because SIGHUP came."""

    def __init__(self) -> None:
        self._asked = False         # not an Event, because the interrupted thread may hold its lock

    def on_signal(self) -> "Reload":
        """Sets the handler of SIGHUP; for the main thread."""
        signal.signal(signal.SIGHUP, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        self._asked = True

    def was_asked(self) -> bool:
        """Whether SIGHUP came since the last call."""
        asked, self._asked = self._asked, False
        return asked
