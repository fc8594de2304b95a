"""One recorder's row changes: gathered whether the database can be written or not, and committed together.

Another process may hold the writers' lock for hours. That is no fault of the card's: changes wait in their order, and
clips begin with numbers that were reserved before.
"""
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile

from agent.core.contract.facts import Poke
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.store import boots, numbers
from agent.store.damage import surviving
from agent.store.database import StoreConnection, StoreError, connect, is_held, transaction
from agent.store.distrust import writer
from agent.store.folders import Folders
from agent.store.names import highest

PENDING_MAX = 6 * numbers.RANGE_N       # a kilobyte or two each; a clip takes two, and an event with its word three
BUSY_S = 5.0                    # how long another role's commit is waited for; then the database is held
AGAIN_S = 1.0                   # how often it is tried then, without waiting

RowChange = Callable[[sqlite3.Connection], None]

_log = logging.getLogger(__name__)


class RowQueue:
    """Row changes for the next commit. `db` is None until `open`, and after `close`."""

    def __init__(self, folders: Folders, clock: Clock, outlet: Outlet) -> None:
        self._folders, self._clock, self._outlet = folders, clock, outlet
        self._pending: deque[RowChange] = deque()
        self.numbers, self._numbers_of = range(0), (0, 0)       # reserved for clips, and in which file
        self._is_new, self._again_mono_s = True, 0.0
        self.again_s: float | None = None   # how soon to try again, though nothing happens
        self.db: StoreConnection | None = None
        self.held_by: int | None = None     # the process that holds the database, 0 for an unknown one, while it does
        self.forgotten_n = 0                # changes given up: the database could not be written for too long

    def open(self) -> None:
        """Have the database open. Raises StoreError."""
        if self.db is None:
            self.db, self._is_new = connect(self._folders.root, BUSY_S), True
            if self.db.inode != self._numbers_of:
                self.numbers, self._numbers_of = range(0), self.db.inode

    def close(self) -> None:
        """Close the database; changes that wait are kept."""
        if self.db is not None:
            with contextlib.suppress(sqlite3.Error):
                self.db.close()
            self.db = self.held_by = self.again_s = None

    def add(self, change: RowChange) -> None:
        """Keep a row change for the next commit; the oldest of too many is given up, and counted."""
        if len(self._pending) >= PENDING_MAX:
            self._pending.popleft()
            self.forgotten_n += 1
        self._pending.append(change)

    def commit(self, *last: RowChange) -> bool:
        """Make all row changes so far true at once, and tell the link when there are messages among them.

        One that a spoiled row is in the way of waits for the next commit, and those behind it with it; `last` ones wait
        for none, and are forgotten if they fail. Returns False, and nothing is done, while the database is held. Raises
        StoreError, sqlite3.Error, and as `last`; the others are kept.
        """
        if not (self._pending or last or self._is_new):
            return True
        if self.db is None:
            raise StoreError(f"{self._folders.root}: the database can't be opened")
        if self.held_by is not None and self._clock.mono_s() < self._again_mono_s:
            return False
        fresh: list[range] = []
        with self.unless_held() as held, transaction(self.db) as db:
            if self._is_new:
                self._carried_out(db, self._greet)
            done = list(takewhile(partial(self._carried_out, db), self._pending))      # in their order
            for change in last:
                change(db)
            if (done or last) and len(self.numbers) < numbers.RANGE_N // 2:
                self._carried_out(db, lambda db: fresh.append(numbers.reserve(db)))
        if held:
            return False
        self._is_new, self.numbers = False, next(iter(fresh), self.numbers)
        for _ in done:
            self._pending.popleft()
        self._outlet.send(Poke(what="outbox"), "link")
        self._outlet.send(Poke(what="clips"), "keeper", "web")
        return True

    @contextlib.contextmanager
    def unless_held(self) -> Iterator[list[Exception]]:
        """Have another process's lock on the database end what is inside; it is in the list then. Raises all else."""
        met: list[Exception] = []
        assert self.db is not None
        try:
            yield met
        except sqlite3.OperationalError as error:
            if not is_held(error) or self.db.replaced():
                raise
            met.append(error)
        if bool(met) != (self.held_by is not None):
            self.db.execute(f"PRAGMA busy_timeout = {0 if met else int(BUSY_S * 1000)}")
            _log.warning("the database is %s", "held: rows wait" if met else "free again")
        self.held_by = (writer(self.db.path) or 0) if met else None
        self.again_s, self._again_mono_s = AGAIN_S if met else None, self._clock.mono_s() + AGAIN_S

    def next_number(self, db: sqlite3.Connection) -> int:
        """For a clip that begins. Within the commit."""
        if (number := numbers.next_clip(db)) > self.numbers.start:
            self.numbers = range(0)        # a later clip has to have a higher one
        return number

    def reserved_number(self) -> int:
        """For a clip that begins while the database is held; 0 where all are used."""
        number, self.numbers = next(iter(self.numbers), 0), self.numbers[1:]
        return number

    def _greet(self, db: sqlite3.Connection) -> None:
        """This start of the machine gets its number, and clips go on behind those on the card."""
        boots.remember(db, self._clock.now().boot)
        if is_behind := (number := highest(self._folders.clips)) > numbers.given(db)["clip"]:
            numbers.put(db, "clip", number)
        if is_behind or self.held_by is not None:
            self._outlet.send(Poke(what="sweep"), "keeper")     # an earlier life may have left clips without rows

    @staticmethod
    def _carried_out(db: sqlite3.Connection, change: RowChange) -> bool:
        db.execute("SAVEPOINT change")
        with surviving("a change of rows waits") as met:
            change(db)
        db.execute("ROLLBACK TO change" if met else "RELEASE change")
        return not met
