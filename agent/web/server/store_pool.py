"""Threads for work that may wait for the card, so that a stalled card freezes no live view."""
import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from agent.store import damage
from agent.store.card_fault import fault_of
from agent.store.database import StoreConnection, StoreError, connect, current

T = TypeVar("T")
P = ParamSpec("P")
Job = tuple[Future, Callable[[sqlite3.Connection], Any]]

_log = logging.getLogger(__name__)


class CardTrouble(Exception):
    """The card did not answer in time, answered with an error, or too many jobs wait for it."""


class StorePool:
    """`threads_n` threads with a database connection each. At most `queue_n` jobs wait, each for `patience_s`."""

    def __init__(self, folder: Path, threads_n: int = 3, queue_n: int = 32, patience_s: float = 5.0) -> None:
        self._folder, self._patience_s = folder, patience_s
        self._jobs: queue.Queue[Job | None] = queue.Queue(queue_n)
        self._threads = [threading.Thread(target=self._work, name=f"card-{n}", daemon=True) for n in range(threads_n)]
        self.troubles_n = 0
        self.card_fault: str | None = None      # what the card answered last, if that was an error of its own

    def start(self) -> "StorePool":
        for thread in self._threads:
            thread.start()
        return self

    async def ask(self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Returns what `job(db, ...)` returns, or raises its error; operating errors become CardTrouble."""
        done: Future[T] = Future()
        try:
            self._jobs.put_nowait((done, lambda db: job(db, *args, **named)))
            return await asyncio.wait_for(asyncio.wrap_future(done), self._patience_s)
        except sqlite3.ProgrammingError:        # a bug of ours, no fault of the card
            raise
        except (queue.Full, StoreError, sqlite3.DatabaseError, OSError, UnicodeDecodeError) as error:
            self.troubles_n += 1
            _log.warning("the card: %s", error or type(error).__name__)
            raise CardTrouble from error

    def stop(self) -> None:
        """Tells the threads to end, without waiting: a thread may hang in the card."""
        for _ in self._threads:
            with contextlib.suppress(queue.Full):
                self._jobs.put_nowait(None)

    def _work(self) -> None:
        db: StoreConnection | None = None
        while (job := self._jobs.get()) is not None:
            done, act = job
            if not done.set_running_or_notify_cancel():     # its browser has given up meanwhile
                continue
            try:
                db = current(db) if db else connect(self._folder, read_only=True)
                result = act(db)
            except Exception as error:                      # the asker's
                self.card_fault = fault_of(error, self._folder)
                if isinstance(error, (StoreError, sqlite3.Error)):
                    damage.meet(error)
                done.set_exception(error)
            else:
                self.card_fault = None
                done.set_result(result)
        if db is not None:
            db.close()
