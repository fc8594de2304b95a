"""Formats log lines for the journal and terminals, removes passwords and drops repeats.

A record about a camera or an event, or with an id, goes to the journal's own socket, which takes fields.
"""
import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Collection
from pathlib import Path

from agent.core.contract.journal import MESSAGE_IDS
from agent.core.harmless import one_line
from agent.core.passwords import redact

# Priorities at the start of a line (sd-daemon(3)).
PRIORITY = {logging.DEBUG: "<7>", logging.INFO: "<6>", logging.WARNING: "<4>",
            logging.ERROR: "<3>", logging.CRITICAL: "<2>"}
JOURNAL = "/run/systemd/journal/socket"
CGROUP = Path("/proc/self/cgroup")
_cameras: list[str] = []


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


class _Handler(logging.StreamHandler):      # type: ignore[type-arg]
    """Standard error, and the journal's socket for what has fields: systemd.io/JOURNAL_NATIVE_PROTOCOL."""

    def __init__(self, unit: str) -> None:
        super().__init__(sys.stderr)
        self._alone = unit.partition("@")[2].replace("network", "")      # the camera of a process that has only one
        self._journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._identifier = ""               # as SyslogIdentifier=%N; "" without a journal
        if "JOURNAL_STREAM" in os.environ:
            with contextlib.suppress(OSError):
                self._identifier = Path(CGROUP.read_text().strip()).stem

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"CAMERA": self._camera(record), "EVENT": getattr(record, "EVENT", None),
                  "MESSAGE_ID": MESSAGE_IDS.get(record.msg)}
        if not self._identifier or not any(fields.values()) or not self._send(record, fields):
            super().emit(record)

    def _camera(self, record: logging.LogRecord) -> str | None:
        """Returns the camera that the record names, or whose thread it comes from."""
        named = (*(record.args if isinstance(record.args, tuple) else ()), (record.threadName or "").partition("-")[2])
        return next((word for word in named if isinstance(word, str) and word in _cameras), self._alone) or None

    def _send(self, record: logging.LogRecord, fields: dict[str, object]) -> bool:
        priority = PRIORITY.get(record.levelno, "<6>")
        fields |= {"MESSAGE": re.sub(f"^{priority}", "", self.format(record), flags=re.MULTILINE),
                   "PRIORITY": priority[1], "SYSLOG_IDENTIFIER": self._identifier}
        said = {name: str(value).encode() for name, value in fields.items() if value}
        with contextlib.suppress(OSError):
            self._journal.sendto(b"".join(name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
                                          for name, value in said.items()), JOURNAL)
            return True
        return False


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
    """Sends this process's log to standard error, or the journal. `level` is debug, info, warning or error."""
    handler = _Handler(unit)
    handler.setFormatter(_JournalFormatter(unit))
    handler.addFilter(_Repeats())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def know(cameras: Collection[str]) -> None:
    """Names the cameras of the settings: from now on, the journal shows which one a record is about."""
    _cameras[:] = cameras
