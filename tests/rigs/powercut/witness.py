"""Stands beside a recorder and notes, off the card, what it may rely on from which entry of the disk's log on.

What another process can read in the database has been committed, so it may be announced at any moment: from then on
the recorder has promised it. The log's length is read after the database, so nothing is demanded too early.
"""
import contextlib
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from agent.host.digest import sha256
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
    events: dict[tuple[int, str], int] = field(default_factory=dict)       # by number, and "begun" or "over"
    messages: dict[int, int] = field(default_factory=dict)
    rows: dict[int, tuple[int, bytes]] = field(default_factory=dict)        # of the ledger, with their hashes
    lives: dict[int, "Life"] = field(default_factory=dict)                 # of every clip, by number


@dataclass(slots=True)
class Life:
    """When a clip was open, and how far its pictures go; milliseconds of the boot-time clock."""

    camera: str
    opened_ms: int
    closed_ms: int | None = None
    end_ms: int | None = None


class Witness:
    """Use as a context manager around the recorder's life; what it saw is in `seen` afterwards."""

    def __init__(self, disk: Disk, store: Path) -> None:
        self._disk, self._folders = disk, Folders(store)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")
        self.seen = Promises()

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not (self._folders.root / FILE).exists() and not self._over.wait(LOOK_EVERY_S):
            pass
        uri = f"file:{quote(str(self._folders.root / FILE))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=HANG_S)) as db:
            while not self._over.wait(LOOK_EVERY_S):
                with contextlib.suppress(sqlite3.OperationalError):     # its tables are not made yet
                    self._look(db)

    def _look(self, db: sqlite3.Connection) -> None:
        seen = self.seen
        finished = db.execute(f"SELECT seq, name FROM clip WHERE {FINISHED}").fetchall()
        events = db.execute("SELECT id, state FROM event").fetchall()
        messages = db.execute("SELECT seq FROM outbox WHERE seq > ?", (max(seen.messages, default=0),)).fetchall()
        rows = db.execute("SELECT n, hash FROM ledger WHERE n > ?", (max(seen.rows, default=0),)).fetchall()
        lives = db.execute("SELECT seq, camera, state, mono_ms + dur_ms FROM clip").fetchall()
        now_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        log_b = self._disk.log_b()
        for number, state in events:
            seen.events.setdefault((number, "begun"), log_b)
            if state != "open":
                seen.events.setdefault((number, "over"), log_b)
        seen.messages.update({seq: log_b for seq, in messages})
        seen.rows.update({n: (log_b, digest) for n, digest in rows})
        for seq, camera, state, end_ms in lives:
            life = seen.lives.setdefault(seq, Life(camera, now_ms))
            if state != "open" and life.closed_ms is None:
                life.closed_ms, life.end_ms = now_ms, end_ms
        for seq, name in finished:
            if name not in seen.clips:
                with contextlib.suppress(FileNotFoundError):        # retention was quicker
                    seen.clips[name] = log_b, sha256(self._folders.clip(seq, name))
