"""Checks whether the card keeps what is written: writes a page past the cache, and later reads it back from the card.

A worn card may accept writes and keep none. Reads soon afterwards come from memory, so the loss would show only after
the next boot. The page also records how far the database had come: if the database is behind it at a start, flushed
data is gone. It cannot detect a card that was restored as a whole; a ledger head at the ward can.
"""
import contextlib
import errno
import logging
import mmap
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.evidence.ledger.acts import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import open_own
from agent.store import ledger, meta, numbers
from agent.store.database import transaction
from agent.store.folders import Folders
from agent.store.numbers import Note

PAGE_B = 4096               # its content fits in the first sector
HEAD_DIGITS = 32
EVERY_S = 1800.0            # 48 pages a day: 0.2 MB
DAY_MS = 86_400_000
KEPT_N = 48                 # pages in a row that a card must keep to be trusted again

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Canary:
    """Checks when it is due. `trouble` holds the finding until the card has kept its pages for a day."""

    folders: Folders
    trouble: str | None = None
    went_back: tuple[str, int] | None = None        # what the ward has proved about the card, and when (mono_ms)
    _written: Note | None = None            # last, by this process
    _kept_n: int = 0                        # pages in a row
    _due_mono_s: float = float("-inf")

    def look(self, db: sqlite3.Connection, now: Instant) -> None:
        """Compares the page and writes it again, if it is time. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 < self._due_mono_s:
            return
        trouble = self._judged(_read(self.folders.root / numbers.PAGE), db)
        self._kept_n = 0 if trouble else self._kept_n + 1
        if trouble:
            self.trouble = trouble
            _log.error("the card does not keep what is written to it: %s; replace it", trouble)
        elif self._kept_n >= KEPT_N:
            self.trouble = None
        self.note(db, now)

    def note_setback(self, db: sqlite3.Connection, now: Instant) -> None:
        """Notes for the ledger that the ward has proved an earlier state of the card. Raises sqlite3.Error."""
        if (number := meta.get(db, numbers.WENT_BACK)) is None:
            return
        with transaction(db):
            meta.take(db, numbers.WENT_BACK)
            is_news = self.went_back is None or now.mono_ms - self.went_back[1] > DAY_MS
            if number.isdecimal() and is_news:      # an owner of the broker can repeat it at will
                self.went_back = f"message {number} is at the ward, and was not on the card", now.mono_ms
                ledger.note(db, now, DatabaseMended(ledger_n=ledger.head(db).n, torn=[], ward_n=int(number)))

    def note(self, db: sqlite3.Connection, now: Instant) -> None:
        """Writes how far the database is, without comparing the page before. Raises OSError and sqlite3.Error."""
        head, given = ledger.head(db), numbers.given(db)
        before = self._written or _read(self.folders.root / numbers.PAGE)
        note = Note(before.number + 1 if before else 1, now.boot, now.mono_ms, head.n, given["outbox"] + 1,
                    ledger_head=head.hash.hex()[:HEAD_DIGITS], numbers=given)
        _write(self.folders.root / numbers.PAGE, note)
        self._written, self._due_mono_s = note, now.mono_ms / 1000 + EVERY_S

    def _judged(self, found: Note | None, db: sqlite3.Connection) -> str | None:
        if self._written is not None and found != self._written:
            return f"page {self._written.number} was written, page {found.number if found else 'nothing'} is there"
        with transaction(db):
            numbers.go_on(db, found)
            lost = meta.take(db, numbers.BEHIND)
        # Rows continue behind that number in any case.
        newest = next(ledger.lines_back(db, found.ledger_n + 1), None) if found and found.ledger_n else None
        here_n = newest.n if newest else 0
        if found is not None and here_n < found.ledger_n:
            return f"{found.ledger_n} signed rows were on it, {here_n} are"
        return lost


def _read(path: Path) -> Note | None:
    """Returns the page as the card has it; None if it is missing or not whole."""
    with mmap.mmap(-1, PAGE_B) as page:
        try:
            with open(_opened(path, os.O_RDONLY), "rb", buffering=0) as file:
                os.preadv(file.fileno(), [page], 0)
        except FileNotFoundError:
            return None
        with contextlib.suppress(msgspec.DecodeError):
            return numbers.decoded(bytes(page))
    return None


def _write(path: Path, note: Note) -> None:
    """Writes in place, so that only the first write changes metadata of the file system."""
    with mmap.mmap(-1, PAGE_B) as page:
        data = msgspec.json.encode(note)
        page[:len(data)] = data
        with open(_opened(path, os.O_WRONLY | os.O_CREAT | os.O_DSYNC), "wb", buffering=0) as file:
            os.pwritev(file.fileno(), [page], 0)


def _opened(path: Path, flags: int) -> int:
    """Opens past the cache, if the file system can."""
    try:
        return open_own(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return open_own(path, flags)
