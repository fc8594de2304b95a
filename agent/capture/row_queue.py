"""One recorder's row changes: gathered whether the card works or not, and committed together."""
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable

from agent.core.contract.facts import Poke
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.store import boots
from agent.store.database import StoreError, connect, number_on, transaction
from agent.store.folders import Folders

PENDING_MAX = 64                # row changes kept for a database that can't be written
BUSY_S = 120.0                  # another role's commit on a card that stalls: our queue fills, no clip is given up

RowChange = Callable[[sqlite3.Connection], None]


class RowQueue:
    """Row changes for the next commit. `db` is None until `open`, and after `close`."""

    def __init__(self, folders: Folders, outlet: Outlet) -> None:
        self._folders, self._outlet = folders, outlet
        self._pending: deque[RowChange] = deque()
        self.db: sqlite3.Connection | None = None
        self.forgotten_n = 0                # changes given up: the database could not be written for too long

    def open(self, clock: Clock) -> None:
        """Have the database open. Raises StoreError, sqlite3.Error."""
        if self.db is None:
            self.db = connect(self._folders.root, BUSY_S)
            number_on(self.db)
            boots.remember(self.db, clock.now().boot)

    def close(self) -> None:
        """Close the database; changes that wait are kept."""
        if self.db is not None:
            with contextlib.suppress(sqlite3.Error):
                self.db.close()
            self.db = None

    def add(self, change: RowChange) -> None:
        """Keep a row change for the next commit; the oldest of too many is given up, and counted."""
        if len(self._pending) >= PENDING_MAX:
            self._pending.popleft()
            self.forgotten_n += 1
        self._pending.append(change)

    def commit_with(self, change: RowChange) -> None:
        """Commit with this change as the last; it is forgotten if that fails. Raises as `commit` does."""
        self.add(change)
        try:
            self.commit()
        except (OSError, sqlite3.Error, StoreError):
            self._pending.pop()
            raise

    def commit(self) -> None:
        """Make all row changes so far true at once, and tell the link when there are messages among them.

        Raises StoreError, sqlite3.Error; the changes are kept then.
        """
        if not self._pending:
            return
        if self.db is None:
            raise StoreError(f"{self._folders.root}: the database can't be opened")
        with transaction(self.db) as db:
            for change in self._pending:
                change(db)
        self._pending.clear()
        self._outlet.send(Poke(what="outbox"), "link")
        self._outlet.send(Poke(what="clips"), "keeper", "web")
