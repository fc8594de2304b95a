"""The notifications' thread. What is sent, and when, is the `Notifier`'s affair; here is when it looks."""
import threading

from agent.core.contract.facts import Message, Poke
from agent.core.contract.helper_messages import NotifyFault
from agent.link.notify.notifier import Notifier, NotifyContext
from agent.link.side_thread import SideThread

TICK_S = 5.0                # between looks at the store, in case a poke was lost


class NotifyThread(SideThread):
    """Tells the household's phones of events, one after the other."""

    def __init__(self, about: NotifyContext) -> None:
        super().__init__("notify")
        self._about, self._bell = about, threading.Event()
        self._notifier: Notifier | None = None      # outlives a store that fails: it knows what has been sent

    def hear(self, piece: Message) -> None:
        """Look at once, if that is what another role says."""
        if isinstance(piece, Poke):
            self._bell.set()

    @property
    def fault(self) -> NotifyFault:
        """For the heartbeat: why a phone can't be told."""
        return self._notifier.fault if self._notifier else ""

    def _wake(self) -> None:
        self._bell.set()

    def _work(self) -> None:
        notifier = self._notifier = self._notifier or Notifier(self._about)
        while not self._over.is_set():
            notifier.turn()
            self._bell.wait(TICK_S)
            self._bell.clear()
        notifier.close()
