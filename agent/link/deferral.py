"""Where a ward is told of people and vehicles alone, messages wait for a word. Here is when the keeper looks for it."""
from collections.abc import Callable

from agent.host.clock import Clock
from agent.link.store_thread import StoreThread
from agent.store import outbox
from agent.store.link_questions import settle_deferred
from agent.store.outbox import Settled

LOOK_EVERY_S = 5.0          # while something waits: a word may come at any moment, and after a while none is waited for
LOOK_IDLY_S = 60.0          # in case a poke was lost


class Deferral:
    """Works on the loop's thread, has the store's thread look and the keeper write."""

    def __init__(self, store: StoreThread, clock: Clock, released: Callable[[], object]) -> None:
        """`released` is called when messages are in the outbox now."""
        self._store, self._clock, self._released = store, clock, released
        self._looking, self._due_mono_s = False, 0.0

    def hurry(self) -> None:
        """A message or a word was written."""
        self._due_mono_s = 0.0

    def turn(self) -> None:
        """Look if it is time."""
        if self._looking or self._clock.mono_s() < self._due_mono_s:
            return
        self._due_mono_s = self._clock.mono_s() + LOOK_IDLY_S
        self._looking = self._store.ask(lambda db: bool(outbox.oldest_deferred(db, 0, 1)), self._looked)

    def _looked(self, waits: bool | None) -> None:
        if not waits or not self._store.ask(settle_deferred(), self._settled):
            self._settled(Settled() if waits is False else None)

    def _settled(self, settled: Settled | None) -> None:
        self._looking = False
        if settled is None or settled.left_n:
            self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + LOOK_EVERY_S)
        if settled and settled.released_n:
            self._released()
