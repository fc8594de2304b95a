"""How much the processes log, where the ward wants to know more than the settings say.

The level is a word in the link's folder in memory, which each process reads with its heartbeat. A boot forgets it,
until the link is up again.
"""
import contextlib
import logging
import os
from pathlib import Path

from agent.core.household.ward_settings import LEVELS
from agent.host.files import open_plain, write_whole
from agent.host.runtime import own

TELLER = "link"
FILE = "log.level"
LARGEST_B = 16


def tell(runtime: Path, level: str | None) -> None:
    """Have all processes log like that: debug, info, warning or error; None: as the settings say.

    For the link. Raises OSError.
    """
    folder = own(runtime, TELLER)
    if level is None:
        (folder / FILE).unlink(missing_ok=True)
        return
    write_whole(folder / FILE, level.encode())


class LogLevel:
    """The log level of this process; it starts with what its settings say."""

    def __init__(self, runtime: Path) -> None:
        self._path, self._usual = runtime / TELLER / FILE, logging.getLogger().level
        self._told: str | None = None

    def apply(self) -> None:
        """Log at the level that the word names now."""
        word = self._word()
        if word != self._told:
            self._told = word
            logging.getLogger().setLevel(self._usual if word is None else word.upper())

    def _word(self) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            handle = open_plain(self._path)
            try:
                word = os.read(handle, LARGEST_B).decode()
            finally:
                os.close(handle)
            return word if word in LEVELS else None
        return None
