"""One recorder's row changes: collected even while the database cannot be written, and committed together.

Another process may hold the writers' lock for hours. That is no fault of the card: changes wait in order, and clips
begin with numbers that were reserved before.
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

PENDING_MAX = 6 * numbers.RANGE_N       # a kilobyte or two each; a clip takes two, an event with its label three
BUSY_S = 5.0                    # how long to wait for another role's commit; then the database is held
AGAIN_S = 1.0                   # how often to try then, without waiting

RowChange = Callable[[sqlite3.Connection], None]

_log = logging.getLogger(__name__)


class RowQueue:
    """Row changes for the next commit. `db` is None until `open`, and after `close`."""

    def __init__(self, folders: Folders, clock: Clock, outlet: Outlet) -> None:
        self.folders, self.clock, self._outlet = folders, clock, outlet
        self._pending: deque[RowChange] = deque()
        self.numbers, self._numbers_of = range(0), (0, 0)       # reserved for clips, and the database file's inode
        self._is_new, self._again_mono_s = True, 0.0
        self.again_s: float | None = None   # how soon to try again, even if no job comes
        self.db: StoreConnection | None = None
        self.held_by: int | None = None     # while the database is held: the process that holds it, 0 if unknown
        self.forgotten_n = 0                # changes that were given up, because too many waited

    def open(self) -> None:
        """Opens the database if it is closed. Raises StoreError."""
        if self.db is None:
            self.db, self._is_new = connect(self.folders.root, BUSY_S), True
            if self.db.inode != self._numbers_of:
                self.numbers, self._numbers_of = range(0), self.db.inode

    def close(self) -> None:
        """Closes the database; changes that wait are kept."""
        if self.db is not None:
            with contextlib.suppress(sqlite3.Error):
                self.db.close()
            self.db = self.held_by = self.again_s = None

    def add(self, change: RowChange) -> None:
        """Keeps a row change for the next commit. If too many wait, gives up and counts the oldest."""
        if len(self._pending) >= PENDING_MAX:
            self._pending.popleft()
            self.forgotten_n += 1
        self._pending.append(change)

    def commit(self, *last: RowChange) -> bool:
        """Commits all row changes so far at once, and wakes the link.

        A change that a spoiled row prevents waits for the next commit, together with those behind it. A change of
        `last` waits for nothing, and is forgotten if it fails. Returns False, and does nothing, while the database is
        held. Raises StoreError, sqlite3.Error and the errors of `last`; the other changes are kept.
        """
        if not (self._pending or last or self._is_new):
            return True
        if self.db is None:
            raise StoreError(f"{self.folders.root}: the database is not open")
        if self.held_by is not None and self.clock.mono_s() < self._again_mono_s:
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
        """Ends its body if another process holds the database, and lists that error. Raises all other errors."""
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
        self.again_s, self._again_mono_s = AGAIN_S if met else None, self.clock.mono_s() + AGAIN_S

    def next_number(self, db: sqlite3.Connection) -> int:
        if (number := numbers.next_clip(db)) > self.numbers.start:
            self.numbers = range(0)        # a later clip must have a higher one
        return number

    def reserved_number(self) -> int:
        """Returns a number for a clip that begins while the database is held; 0 if none is left."""
        number, self.numbers = next(iter(self.numbers), 0), self.numbers[1:]
        return number

    def _greet(self, db: sqlite3.Connection) -> None:
        """Gives this boot its number, and continues the clips' numbers after those on the card."""
        boots.remember(db, self.clock.now().boot)
        if is_behind := (number := highest(self.folders.clips)) > numbers.given(db)["clip"]:
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
