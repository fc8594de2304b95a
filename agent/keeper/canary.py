"""Whether the card keeps what it says it has: a page is written past the cache, and read back from the card later.

A worn card may go on taking writes and keep none of them; what it is asked for soon after comes from memory, so nobody
notices until the next boot. The page also tells how far the database was: if that is behind when we start, what had
been flushed is gone. A card that is set back as a whole tells nothing of it; a ledger's head at the ward does.
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

from agent.core.evidence.ledger import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import open_own
from agent.store import ledger, meta, numbers
from agent.store.database import transaction
from agent.store.folders import Folders
from agent.store.numbers import Note

PAGE_B = 4096               # all that it tells lies in its first sector
HEAD_DIGITS = 32
EVERY_S = 1800.0            # 48 pages a day: 0.2 MB
DAY_MS = 86_400_000
KEPT_N = 48                 # pages that a card which has dropped one must keep before it is trusted again

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Canary:
    """Looks when it is due; `trouble` says what was found, until the card has kept its pages for a day."""

    folders: Folders
    trouble: str | None = None
    went_back: tuple[str, int] | None = None        # what the ward has proved of the card, and when (mono_ms)
    _written: Note | None = None            # by this process, last
    _kept_n: int = 0                        # pages in a row
    _due_mono_s: float = float("-inf")

    def look(self, db: sqlite3.Connection, now: Instant) -> None:
        """Compare and write anew, if it is time. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 < self._due_mono_s:
            return
        trouble = self._judged(_read(self.folders.root / numbers.PAGE), db)
        self._kept_n = 0 if trouble else self._kept_n + 1
        if trouble:
            self.trouble = trouble
            _log.error("the card does not keep what is written to it: %s", trouble)
        elif self._kept_n >= KEPT_N:
            self.trouble = None
        self.note(db, now)

    def hear_ward(self, db: sqlite3.Connection, now: Instant) -> None:
        """If the ward has proved that the card is as it was earlier, the ledger is to know. Raises sqlite3.Error."""
        if (number := meta.get(db, numbers.WENT_BACK)) is None:
            return
        with transaction(db):
            meta.take(db, numbers.WENT_BACK)
            is_news = self.went_back is None or now.mono_ms - self.went_back[1] > DAY_MS
            if number.isdecimal() and is_news:      # whoever holds the broker can say so as often as it likes
                self.went_back = f"message {number} is at the ward, and was not on the card", now.mono_ms
                ledger.note(db, now, DatabaseMended(ledger_n=ledger.head(db).n, torn=[], ward_n=int(number)))

    def note(self, db: sqlite3.Connection, now: Instant) -> None:
        """Write how far the database is; whatever was written before is not compared. Raises OSError and sqlite3.Error.
        """
        head, given = ledger.head(db), numbers.given(db)
        before = self._written or _read(self.folders.root / numbers.PAGE)
        note = Note(before.number + 1 if before else 1, now.boot, now.mono_ms, head.n, given["outbox"] + 1,
                    head.hash.hex()[:HEAD_DIGITS], given)
        _write(self.folders.root / numbers.PAGE, note)
        self._written, self._due_mono_s = note, now.mono_ms / 1000 + EVERY_S

    def _judged(self, found: Note | None, db: sqlite3.Connection) -> str | None:
        if self._written is not None and found != self._written:
            return f"page {self._written.number} was written, page {found.number if found else 'nothing'} is there"
        with transaction(db):
            numbers.go_on(db, found)
            lost = meta.take(db, numbers.BEHIND)
        # Rows go on behind that number in any case.
        newest = next(ledger.lines_back(db, found.ledger_n + 1), None) if found and found.ledger_n else None
        here_n = newest.n if newest else 0
        if found is not None and here_n < found.ledger_n:
            return f"{found.ledger_n} signed rows were on it, {here_n} are"
        return lost


def _read(path: Path) -> Note | None:
    """The page as the card has it; None where there is none, or none that is whole."""
    with mmap.mmap(-1, PAGE_B) as page:
        try:
            handle = _opened(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            os.preadv(handle, [page], 0)
        finally:
            os.close(handle)
        with contextlib.suppress(msgspec.DecodeError):
            return numbers.decoded(bytes(page))
    return None


def _write(path: Path, note: Note) -> None:
    """In place, so that no books of the file system change but the first time."""
    with mmap.mmap(-1, PAGE_B) as page:
        data = msgspec.json.encode(note)
        page[:len(data)] = data
        handle = _opened(path, os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
        try:
            os.pwritev(handle, [page], 0)
        finally:
            os.close(handle)


def _opened(path: Path, flags: int) -> int:
    """Past the cache, where the file system knows how to."""
    try:
        return open_own(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return open_own(path, flags)
