"""The log level of the processes, if the ward wants another one than the settings.

The link writes the level into its folder in memory, and each process reads it with its heartbeat. A boot deletes it,
until the link is up again.
"""
import contextlib
import logging
from pathlib import Path

from agent.core.household.ward_settings import LEVELS
from agent.host.files import read_plain, write_whole
from agent.host.runtime import own

TELLER = "link"
FILE = "log.level"
LARGEST_B = 16


def tell(runtime: Path, level: str | None) -> None:
    """For the link: sets the log level of all processes; None: the level in their settings. Raises OSError."""
    folder = own(runtime, TELLER)
    if level is None:
        (folder / FILE).unlink(missing_ok=True)
        return
    write_whole(folder / FILE, level.encode())


class LogLevel:
    """The log level of this process; it starts with the level of its settings."""

    def __init__(self, runtime: Path) -> None:
        self._path, self._usual = runtime / TELLER / FILE, logging.getLogger().level
        self._applied: str | None = None

    def apply(self) -> None:
        word = self._word()
        if word != self._applied:
            self._applied = word
            logging.getLogger().setLevel(self._usual if word is None else word.upper())

    def _word(self) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            word = read_plain(self._path, LARGEST_B).decode()
            return word if word in LEVELS else None
        return None
