"""Two threads beside the link's loop, so that a hanging card stops neither health nor heartbeats.

One reads the store; the other asks the keeper to write.
"""
import contextlib
import functools
import logging
import queue
import socket
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from agent.store import damage
from agent.store.card_fault import fault_of
from agent.store.database import StoreError, connect, current
from agent.store.keeper_client import ask_keeper
from agent.store.link_questions import LinkQuestion

JOBS_MAX = 64               # of each thread
ENDING_S = 1.0

Job = Callable[[sqlite3.Connection], Any]
Then = Callable[[Any], None]
Result = TypeVar("Result")
Asked = queue.Queue[tuple[Any, Then] | None]

_log = logging.getLogger(__name__)


class StoreThread:
    """Does jobs on the database in order, and asks the keeper in order; `turn` passes on the results.

    `fileno` becomes readable when there is something for `turn`.
    """

    def __init__(self, folder: Path, runtime: Path) -> None:
        """Opens the store in `folder`; the keeper answers in `runtime`. Raises StoreError."""
        self._jobs: Asked = queue.Queue(JOBS_MAX)
        self._questions: Asked = queue.Queue(JOBS_MAX)
        self._done: deque[tuple[Then, Any]] = deque()
        self._bell, self._ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._opened = threading.Event()
        self._problem: StoreError | None = None
        self._faults: dict[str, tuple[str, str | None]] = {}       # by thread: the last error, while it fails
        self._folder, self._runtime = folder, runtime
        self.dropped_n = 0
        self._threads = [threading.Thread(target=work, name=name, daemon=True)
                         for name, work in (("store", self._read), ("keeper", self._write))]
        for thread in self._threads:
            thread.start()
        self._opened.wait()
        if self._problem:
            raise self._problem

    @property
    def fault(self) -> str | None:
        """Returns the last error, while the store or the keeper fails."""
        return next((text for text, _ in self._faults.copy().values()), None)

    @property
    def card_fault(self) -> str | None:
        return next((fault for _, fault in self._faults.copy().values() if fault), None)

    def fileno(self) -> int:
        return self._ear.fileno()

    def bell(self) -> int:
        """Returns a file; a byte written to it makes `fileno` readable. For signals, which end no `select`."""
        return self._bell.fileno()

    def ask(self, work: Job | LinkQuestion, then: Then = lambda _: None) -> bool:
        """Starts a job or a question; `then` gets the result, or None if the store failed.

        Returns False, and counts the work as dropped, if too much waits already.
        """
        return self._put(work, functools.partial(self._pass_on, then))

    def wait_for(self, work: Callable[[sqlite3.Connection], Result] | LinkQuestion,
                 timeout_s: float | None) -> Result | None:
        """Blocks until the result has come. Returns None after `timeout_s`; None waits without end."""
        answer: queue.Queue[Result | None] = queue.Queue(1)
        with contextlib.suppress(queue.Empty):
            return answer.get(timeout=timeout_s) if self._put(work, answer.put_nowait) else None
        return None

    def _put(self, work: Job | LinkQuestion, done: Then) -> bool:
        try:
            (self._questions if isinstance(work, LinkQuestion) else self._jobs).put_nowait((work, done))
        except queue.Full:
            self.dropped_n += 1
            return False
        return True

    def _pass_on(self, then: Then, result: Any) -> None:
        self._done.append((then, result))
        with contextlib.suppress(BlockingIOError):
            self._bell.send(b"!")

    def turn(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(256):
                pass
        while self._done:
            then, result = self._done.popleft()
            then(result)

    def close(self) -> None:
        """Does what waits, then ends; waits ENDING_S at most, because the card may hang."""
        for waiting in (self._jobs, self._questions):
            with contextlib.suppress(queue.Full):
                waiting.put_nowait(None)
        for thread in self._threads:
            thread.join(ENDING_S)

    def _read(self) -> None:
        try:
            db = connect(self._folder, read_only=True)
        except StoreError as problem:
            self._problem = problem
            return
        finally:
            self._opened.set()

        def do(job: Job) -> Any:
            nonlocal db
            db = current(db)                # a new one if it was damaged
            return job(db)

        self._serve(self._jobs, do)
        db.close()

    def _write(self) -> None:
        self._serve(self._questions, functools.partial(ask_keeper, self._runtime))

    def _serve(self, waiting: Asked, do: Callable[[Any], Any]) -> None:
        while (asked := waiting.get()) is not None:
            work, done = asked
            done(self._try(do, work))

    def _try(self, do: Callable[[Any], Any], work: Any) -> Any:
        try:
            result = do(work)
        except Exception as error:      # a spoiled row can raise anything
            self._faults[threading.current_thread().name] = str(error), fault_of(error, self._folder)
            damage.meet(error)
            _log.error("the store failed: %s; recording and health go on, messages wait; see: taimat doctor", error,
                       exc_info=not isinstance(error, (sqlite3.Error, StoreError)))
            return None
        self._faults.pop(threading.current_thread().name, None)
        return result
