"""A thread beside the link's loop: no fault in it stops the ward's events."""
import abc
import logging
import sqlite3
import threading

from agent.core.contract.facts import Message
from agent.store import damage
from agent.store.database import StoreError

AGAIN_S = 60.0
ENDING_S = 2.0

_log = logging.getLogger(__name__)


class SideThread(threading.Thread, abc.ABC):
    """Works until `end` is called; `name` is its purpose."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._over = threading.Event()

    def hear(self, piece: Message) -> None:
        """Receives a message of another role; drops it unless a thread overrides this."""

    @abc.abstractmethod
    def _work(self) -> None:
        """Works until `_over` is set. Raises StoreError and sqlite3.Error; then it is called again."""

    @abc.abstractmethod
    def _wake(self) -> None:
        """`_over` has been set: ends a wait at once."""

    def end(self) -> None:
        self._over.set()
        self._wake()

    def leave(self) -> None:
        """Ends the thread; waits at most ENDING_S, because a peer of it may hang."""
        self.end()
        self.join(ENDING_S)

    def run(self) -> None:
        """Works until `end` is called. A bug in it must not end the role."""
        while not self._over.is_set():
            try:
                return self._work()
            except (StoreError, sqlite3.Error) as error:
                _log.error("%s: the store: %s", self.name, error)
                damage.meet(error)
            except Exception as error:
                _log.exception("%s failed; it starts anew in %.0f s", self.name, AGAIN_S)
                damage.meet(error)
            self._over.wait(AGAIN_S)
        return None
