"""Formats log lines for the journal and terminals, removes passwords and drops repeats."""
import logging
import os
import sys

from agent.core.harmless import one_line
from agent.core.passwords import redact

# Priorities at the start of a line (sd-daemon(3)).
PRIORITY = {logging.DEBUG: "<7>", logging.INFO: "<6>", logging.WARNING: "<4>",
            logging.ERROR: "<3>", logging.CRITICAL: "<2>"}


class _JournalFormatter(logging.Formatter):
    """Formats a record as `unit: text` without passwords, with the journal's priority if the journal reads it."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit
        self._journal = "JOURNAL_STREAM" in os.environ

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        prefix = PRIORITY.get(record.levelno, "") if self._journal else ""
        return "\n".join(prefix + one_line(redact(f"{self._unit}: {line}")) for line in text.splitlines())


class _Repeats(logging.Filter):
    """Lets the same text through once a minute, so that a storm of errors does not fill the card."""

    def __init__(self, every_s: float = 60, remembered: int = 200) -> None:
        super().__init__()
        self._every_s, self._remembered = every_s, remembered
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info or record.levelno < logging.INFO:
            return True
        text = record.getMessage()
        if record.created - self._last.get(text, float("-inf")) < self._every_s:
            return False
        if len(self._last) >= self._remembered:
            self._last.clear()
        self._last[text] = record.created
        return True


def set_up(unit: str, level: str) -> None:
    """Sends this process's log to standard error. `level` is debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalFormatter(unit))
    handler.addFilter(_Repeats())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
