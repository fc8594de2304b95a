"""A thread that owns the link's connection to the store: a hanging card stops neither health nor heartbeats."""
import contextlib
import logging
import queue
import socket
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from agent.store.card_fault import fault_of
from agent.store.database import StoreConnection, StoreError, connect, current

JOBS_MAX = 64
ENDING_S = 1.0

Job = Callable[[sqlite3.Connection], Any]
Then = Callable[[Any], None]
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class StoreThread:
    """Does jobs on the database in order; the owner's `turn` hands their results on.

    `fileno` becomes readable when there is something for `turn`.
    """

    def __init__(self, folder: Path) -> None:
        """Open the store in `folder`. Raises StoreError."""
        self._jobs: queue.Queue[tuple[Job, Then] | None] = queue.Queue(JOBS_MAX)
        self._done: deque[tuple[Then, Any]] = deque()
        self._bell, self._ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._opened = threading.Event()
        self._problem: StoreError | None = None
        self.fault: str | None = None       # what the store said last, while it fails
        self.card_fault: str | None = None  # the condition behind that, if it is the card's
        self._folder = folder
        self.dropped_n = 0
        self._thread = threading.Thread(target=self._work, args=(folder,), name="store", daemon=True)
        self._thread.start()
        self._opened.wait()
        if self._problem:
            raise self._problem

    def fileno(self) -> int:
        """The file to wait on."""
        return self._ear.fileno()

    def bell(self) -> int:
        """A file to write to in order to make `fileno` readable: for signals, which else end no `select`."""
        return self._bell.fileno()

    def ask(self, job: Job, then: Then = lambda _: None) -> bool:
        """Have `job` done; `then` gets its result, or None when the store failed.

        Returns False, and counts the job as dropped, when too many wait already.
        """
        try:
            self._jobs.put_nowait((job, then))
        except queue.Full:
            self.dropped_n += 1
            return False
        return True

    def wait_for(self, job: Callable[[sqlite3.Connection], Result], timeout_s: float | None) -> Result | None:
        """The result of `job` if it comes in time, else None; for the few results that nothing can go on without.

        Without a `timeout_s` it waits as long as it takes.
        """
        answer: queue.Queue[Result | None] = queue.Queue(1)

        def work(db: sqlite3.Connection) -> None:
            try:
                answer.put_nowait(job(db))
            except sqlite3.Error:
                answer.put_nowait(None)
                raise

        with contextlib.suppress(queue.Empty):
            return answer.get(timeout=timeout_s) if self.ask(work) else None
        return None

    def turn(self) -> None:
        """Hand on the results of the jobs that are done."""
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(256):
                pass
        while self._done:
            then, result = self._done.popleft()
            then(result)

    def close(self) -> None:
        """Do the jobs that wait, then end; a card that hangs is not waited for."""
        with contextlib.suppress(queue.Full):
            self._jobs.put_nowait(None)
            self._thread.join(ENDING_S)

    def _work(self, folder: Path) -> None:
        try:
            db = connect(folder)
        except StoreError as problem:
            self._problem = problem
            return
        finally:
            self._opened.set()
        while (asked := self._jobs.get()) is not None:
            job, then = asked
            db = self._up_to_date(db)
            self._done.append((then, self._try(db, job)))
            with contextlib.suppress(BlockingIOError):
                self._bell.send(b"!")
        db.close()

    def _up_to_date(self, db: StoreConnection) -> StoreConnection:
        """The database that is there now, for a damaged one is replaced; the old one while there is none."""
        try:
            return current(db)
        except StoreError as error:
            self._fail(error)
            return db

    def _fail(self, error: Exception) -> None:
        self.fault, self.card_fault = str(error), fault_of(error, self._folder)

    def _try(self, db: sqlite3.Connection, job: Job) -> Any:
        try:
            result = job(db)
        except sqlite3.Error as error:
            self._fail(error)
            _log.error("the store failed: %s; recording and health go on, messages wait; see: taimat doctor", error)
            return None
        self.fault = self.card_fault = None
        return result
