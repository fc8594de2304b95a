"""Stands beside a recorder and notes, off the card, what it may rely on from which entry of the disk's log on.

What another process can read in the database has been committed, so it may be announced at any moment: from then on
the recorder has promised it. The log's length is read after the database, so nothing is demanded too early.
"""
import contextlib
import hashlib
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from agent.host.files import sha256
from agent.store.clips import FINISHED
from agent.store.database import FILE
from agent.store.folders import Folders
from tests.rigs.powercut.disk import Disk
from tests.rigs.wait import HANG_S

LOOK_EVERY_S = 0.02


@dataclass(slots=True)
class Promises:
    """What was promised, each with the length of the log by which it was. `clips` has digests of their files."""

    clips: dict[str, tuple[int, str]] = field(default_factory=dict)
    events: dict[tuple[int, str], int] = field(default_factory=dict)       # by number and state
    messages: dict[int, tuple[int, str]] = field(default_factory=dict)      # with a digest of what they say
    rows: dict[int, tuple[int, bytes]] = field(default_factory=dict)        # of the ledger, with their hashes
    lives: dict[int, "Life"] = field(default_factory=dict)                 # of every clip, by number
    acts: list["Act"] = field(default_factory=list)


def said(kind: str, data: str) -> str:
    """By which two messages of one number are told apart."""
    return f"{kind} {hashlib.sha256(data.encode()).hexdigest()[:16]}"


@dataclass(slots=True)
class Life:
    """When a clip was open, and how far its pictures go; milliseconds of this computer's boot-time clock."""

    camera: str
    name: str
    opened_ms: int
    closed_ms: int | None = None
    end_ms: int | None = None


class Act(NamedTuple):
    """What somebody of the household, or of the ward, was told that it is done, and how long the log was by then."""

    what: str               # "hold", "release", "erase", "household key", "ward's key", "version", "delivery"
    subject: str            # of a clip its name; else what is to be found
    log_b: int


class Witness:
    """Use as a context manager around the recorder's life; what it saw is in `seen` afterwards."""

    def __init__(self, disk: Disk, store: Path, seen: Promises | None = None, later_ms: float = 0.0) -> None:
        """Go on with what was `seen`; `later_ms` is this computer's boot-time clock minus the recorder's."""
        self._disk, self._folders, self._later_ms = disk, Folders(store), later_ms
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")
        self.seen = seen or Promises()

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        """A database that takes another's place is another file."""
        path = self._folders.root / FILE
        uri = f"file:{quote(str(path))}?mode=ro"
        while not self._over.wait(LOOK_EVERY_S):
            with contextlib.suppress(sqlite3.Error, OSError):       # its tables are not made yet, or it fails
                known = path.stat().st_ino
                with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=HANG_S)) as db:
                    version = None
                    while not self._over.wait(LOOK_EVERY_S) and path.stat().st_ino == known:
                        (now,) = db.execute("PRAGMA data_version").fetchone()
                        if now != version:          # else nobody has committed anything since
                            self._look(db)
                            version = now

    def _look(self, db: sqlite3.Connection) -> None:
        seen = self.seen
        finished = db.execute(f"SELECT seq, name FROM clip WHERE {FINISHED}").fetchall()
        events = db.execute("SELECT id, state FROM event").fetchall()
        messages = db.execute("SELECT seq, kind, data FROM outbox WHERE seq > ?",
                              (max(seen.messages, default=0),)).fetchall()
        rows = db.execute("SELECT n, hash FROM ledger WHERE n > ?", (max(seen.rows, default=0),)).fetchall()
        lives = db.execute("SELECT seq, camera, name, state, mono_ms + dur_ms FROM clip").fetchall()
        now_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        log_b = self._disk.log_b()
        for event in events:
            seen.events.setdefault(event, log_b)
        seen.messages.update({seq: (log_b, said(kind, data)) for seq, kind, data in messages})
        seen.rows.update({n: (log_b, digest) for n, digest in rows})
        for seq, camera, name, state, end_ms in lives:
            life = seen.lives.setdefault(seq, Life(camera, name, now_ms))
            if state != "open" and life.closed_ms is None:
                life.closed_ms, life.end_ms = now_ms, end_ms and end_ms + self._later_ms
        for seq, name in finished:
            if name not in seen.clips:
                with contextlib.suppress(FileNotFoundError):        # retention was quicker
                    seen.clips[name] = log_b, sha256(self._folders.clip(seq, name))
