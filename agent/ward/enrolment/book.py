"""The enrolment book: which place has which claim, certificates and alarms, in one SQLite file of the authority's.

It has no secret: of a claim the SHA-256, of a Wi-Fi the name. It has no write-ahead log, so that others may read it who
may not write beside it, and each change is flushed before it counts: what a device has been given is known.
"""
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.ward.enrolment.entries import VERSION, Entries, tables

FILE = "enrolment.db"
FOR_READERS = 0o640             # the folder's group
WAIT_S = 10.0                   # for somebody else's change


class BookFault(Exception):
    """The enrolment book can't be used; the text is one line with the remedy."""


class EnrolmentBook:
    """The book in a folder. Every look and every change opens it anew, so a book that was restored counts at once."""

    def __init__(self, folder: Path) -> None:
        """Of the authority in that folder."""
        self.path = folder / FILE

    @contextlib.contextmanager
    def change(self) -> Iterator[Entries]:
        """One transaction, all of it or nothing; nobody else changes anything meanwhile. Raises BookFault."""
        with self._opened("rwc") as db:
            db.execute("BEGIN IMMEDIATE")
            if not _version(db):
                tables(db)
                self._hand_over()
            try:
                yield Entries(db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextlib.contextmanager
    def look(self) -> Iterator[Entries]:
        """As it is at this moment, for who may only read. Raises BookFault."""
        if not self.path.exists():
            raise BookFault(f"{self.path}: nobody has been enrolled yet; to begin: taimat ward enrol")
        with self._opened("ro") as db:
            db.execute("BEGIN")
            yield Entries(db)

    @contextlib.contextmanager
    def _opened(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True,
                                                    isolation_level=None, timeout=WAIT_S)) as db:
                for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
                    db.execute(f"PRAGMA {pragma}")
                if (found := _version(db)) > VERSION:
                    raise BookFault(f"{self.path}: was made by a newer Taimat (tables {found}, known up to {VERSION}): "
                                    "update this one")
                db.row_factory = sqlite3.Row
                yield db
        except sqlite3.Error as error:
            raise BookFault(f"{self.path}: {error}; see whether its folder is there (taimat ward init), has room, and "
                            "is this user's (sudo); a broken one comes back by taimat ward restore") from error

    def _hand_over(self) -> None:
        """A book that root has begun is the folder's owner's: the door writes it, and is not root."""
        os.chmod(self.path, FOR_READERS)
        if os.geteuid() == 0:
            folder = self.path.parent.stat()
            os.chown(self.path, folder.st_uid, folder.st_gid)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
