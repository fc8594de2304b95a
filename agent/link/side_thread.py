"""A thread of the link beside the loop that carries the ward's events: whatever goes wrong in it, those go on."""
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
    """Works until it is told to end; `name` is what it is for."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._over = threading.Event()

    @abc.abstractmethod
    def hear(self, piece: Message) -> None:
        """Take in a message of another role."""

    @abc.abstractmethod
    def _work(self) -> None:
        """Return once `_over` is set. Raises StoreError and sqlite3.Error; then it is called again."""

    @abc.abstractmethod
    def _wake(self) -> None:
        """`_over` has been set: look at once."""

    def end(self) -> None:
        """Tell the thread to end."""
        self._over.set()
        self._wake()

    def leave(self) -> None:
        """Wait until the thread has ended; whoever hangs out there is not waited for."""
        self.end()
        self.join(ENDING_S)

    def run(self) -> None:
        """Work until told to end. A fault of ours must not end the role."""
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
