"""The notifications' thread: whatever goes wrong with a phone's service, the ward's link goes on."""
import logging
import sqlite3
import threading
from contextlib import suppress

from agent.core.contract.facts import Beat, Poke
from agent.core.contract.notify_send import NotifyFault
from agent.link.notify.notifier import Notifier, NotifyContext
from agent.store.database import StoreError

TICK_S = 5.0                # between looks at the store, in case a poke was lost
AGAIN_S = 60.0
ENDING_S = 2.0

_log = logging.getLogger(__name__)


class NotifyThread(threading.Thread):
    """Tells the household's phones of events, one after the other."""

    def __init__(self, about: NotifyContext) -> None:
        super().__init__(name="notify", daemon=True)
        self._about, self._over, self._bell = about, threading.Event(), threading.Event()
        self._notifier: Notifier | None = None

    def hear(self, piece: Beat | Poke) -> None:
        """Look at once, if that is what another role says."""
        if isinstance(piece, Poke):
            self._bell.set()

    @property
    def fault(self) -> NotifyFault:
        """For the heartbeat: why a phone can't be told."""
        return self._notifier.fault if self._notifier else ""

    def end(self) -> None:
        """Tell the thread to end."""
        self._over.set()
        self._bell.set()

    def leave(self) -> None:
        """Wait until the thread has ended; a service that hangs is not waited for."""
        self.end()
        self.join(ENDING_S)

    def run(self) -> None:
        """Work until told to end. A fault of ours must not end the role that carries the ward's events."""
        while not self._over.is_set():
            try:
                self._notifier = self._notifier or Notifier(self._about)
                self._notifier.turn()
            except (StoreError, sqlite3.Error) as error:
                _log.error("notifications wait for the store: %s", error)
                self._over.wait(AGAIN_S)
            except Exception:
                _log.exception("notifications failed; they go on in %.0f s", AGAIN_S)
                self._over.wait(AGAIN_S)
            self._bell.wait(TICK_S)
            self._bell.clear()
        if self._notifier:
            with suppress(sqlite3.Error):
                self._notifier.close()
