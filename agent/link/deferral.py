"""Where a ward is told of people and vehicles alone: has messages about motion go once it is known what moved."""
import functools
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from agent.core.household.notifications import of_people
from agent.host.clock import Clock, Instant
from agent.link.store_thread import StoreThread
from agent.store import deferred, notify
from agent.store.database import transaction

BATCH_N = 200
LOOK_EVERY_S = 5.0          # while something waits: a word may come at any moment, and after a while none is waited for
LOOK_IDLY_S = 60.0          # in case a poke was lost


class Settled(NamedTuple):
    """What became of the messages that wait."""

    released_n: int = 0
    dropped_n: int = 0
    left_n: int = 0


class Deferral:
    """Works on the loop's thread, has the store's thread read and write."""

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
        self._looking = self._store.ask(functools.partial(settle, now=self._clock.now()), self._settled)

    def _settled(self, settled: Settled | None) -> None:
        self._looking = False
        if settled is None or settled.left_n:
            self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + LOOK_EVERY_S)
        if settled and settled.released_n:
            self._released()


def settle(db: sqlite3.Connection, now: Instant) -> Settled:
    """Release or drop all messages whose events have their word, or get none any more. Raises sqlite3.Error."""
    settled, after_n = Settled(), 0
    while batch := deferred.oldest(db, after_n, BATCH_N):
        after_n = batch[-1].n
        told = [(message, _told(db, message, now)) for message in batch]
        with transaction(db):
            for message, events in told:
                if events:
                    deferred.release(db, message, events)
                elif events is not None:
                    deferred.drop(db, message)
        settled = Settled(settled.released_n + sum(bool(events) for _, events in told),
                          settled.dropped_n + sum(events == [] for _, events in told),
                          settled.left_n + sum(events is None for _, events in told))
    return settled


def _told(db: sqlite3.Connection, message: deferred.DeferredMessage, now: Instant) -> list[int] | None:
    """The events by which it is told; none: it is not; None: it waits. One whose row is lost gets no word any more."""
    seen = {number: notify.seen(db, number, now) for number in message.events}
    named = of_people(event for event in seen.values() if event)
    return None if named is None else [number for number, event in seen.items() if event is None or number in named]
