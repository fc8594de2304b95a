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

from agent.host.clock import Instant
from agent.host.files import open_own
from agent.store import ledger, outbox
from agent.store.folders import Folders

FILE = "canary"
PAGE_B = 4096
HEAD_DIGITS = 32
EVERY_S = 1800.0            # 48 pages a day: 0.2 MB

_log = logging.getLogger(__name__)


class Note(msgspec.Struct, frozen=True):
    """What is in the page: its own number, and how far the database was when it was written."""

    number: int
    boot: str
    mono_ms: int
    ledger_n: int
    outbox_seq: int         # the next one
    ledger_head: str = ""   # the first digits of the hash of the ledger's newest row


@dataclass(slots=True)
class Canary:
    """Looks when it is due; `trouble` says what was found, for as long as this process lives."""

    folders: Folders
    trouble: str | None = None
    _written: Note | None = None            # by this process, last
    _due_mono_s: float = float("-inf")

    def look(self, db: sqlite3.Connection, now: Instant) -> None:
        """Compare and write anew, if it is time. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 < self._due_mono_s:
            return
        path = self.folders.root / FILE
        found = _read(path)
        if trouble := self._judged(found, db):
            self.trouble = trouble
            _log.error("the card does not keep what is written to it: %s", trouble)
        head = ledger.head(db)
        note = Note((found or self._written or _FIRST).number + 1, now.boot, now.mono_ms, head.n, outbox.next_seq(db),
                    head.hash.hex()[:HEAD_DIGITS])
        _write(path, note)
        self._written, self._due_mono_s = note, now.mono_ms / 1000 + EVERY_S

    def start_again(self) -> None:
        """The database is another one, and so are its numbers: nothing is compared with what was written before."""
        self._written, self._due_mono_s = None, float("-inf")

    def _judged(self, found: Note | None, db: sqlite3.Connection) -> str | None:
        if self._written is not None:
            if found == self._written:
                return None
            return f"page {self._written.number} was written, page {found.number if found else 'nothing'} is there"
        if found is None:
            return None
        for name, noted_n, is_n in (("signed rows", found.ledger_n, ledger.head(db).n),
                                    ("messages", found.outbox_seq - 1, outbox.next_seq(db) - 1)):
            if is_n < noted_n:
                return f"{noted_n} {name} were on it, {is_n} are"
        return None


_FIRST = Note(0, "", 0, 0, 0)


def last_note(folders: Folders) -> Note | None:
    """What the page tells of the database. Raises OSError."""
    return _read(folders.root / FILE)


def forget(folders: Folders) -> None:
    """Remove the page: the database that it tells of is gone. Raises OSError."""
    (folders.root / FILE).unlink(missing_ok=True)


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
            return msgspec.json.decode(bytes(page).rstrip(b"\0"), type=Note)
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
