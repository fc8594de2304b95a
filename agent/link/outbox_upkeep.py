"""Keeps the outbox in order besides sending: its size, messages that wait for a label, and numbers given twice.

All three work on the loop's thread, read on the store's thread, and ask the keeper to write.
"""
import functools
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.delivery.outbox import BOUND_B, QUARANTINE_KEPT_N, Offers
from agent.host.clock import Clock, Instant
from agent.link.store_thread import StoreThread
from agent.store import outbox
from agent.store.link_questions import fold_outbox, overtake, settle_deferred
from agent.store.outbox import Settled

MEASURE_EVERY_S = 30.0
MEASURE_SHARE = 100         # measuring reads the whole outbox: it may take at most a hundredth of the time
LABEL_EVERY_S = 5.0         # while messages wait: a label may come at any moment, and the wait ends
LABEL_IDLE_S = 60.0         # in case a poke was lost
REUSED = "seq_reused"       # the ward's code for a message whose number it has with another content
LEAP_EVERY_S = 20.0         # a ward that claims higher numbers again and again must not wear out the card


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """The messages that wait, as last measured; None is unknown."""

    n: int | None = None
    bytes: int = 0
    old_s: int | None = None            # age of the oldest; unknown if it is from an earlier boot
    quarantine_n: int = 0
    seq_next: int | None = None         # number of the next message


class OutboxMeter:
    """Measures the outbox, and asks the keeper to shorten it if it exceeds its bound."""

    def __init__(self, store: StoreThread, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.backlog = OutboxBacklog()
        self._measuring, self._due_mono_s = False, 0.0

    def turn(self, after_seq: int) -> None:
        """Measures if it is time; messages up to `after_seq` are being sent and must stay."""
        if not self._measuring and self._clock.mono_s() >= self._due_mono_s:
            now = self._clock.now()
            self._measuring = self._store.ask(functools.partial(measure, now=now),
                                              functools.partial(self._measured, now, after_seq))

    def _measured(self, began: Instant, after_seq: int, backlog: OutboxBacklog | None) -> None:
        self._measuring = False
        self.backlog = backlog or self.backlog
        if backlog and (backlog.bytes > BOUND_B or backlog.quarantine_n > QUARANTINE_KEPT_N):
            self._store.ask(fold_outbox(after_seq))
        lasted_s = self._clock.mono_s() - began.mono_ms / 1000
        self._due_mono_s = self._clock.mono_s() + max(MEASURE_EVERY_S, MEASURE_SHARE * lasted_s)


def measure(db: sqlite3.Connection, now: Instant) -> OutboxBacklog:
    """Reads the whole outbox. Raises sqlite3.Error."""
    count, size_b, first = outbox.waiting(db)
    old_s = 0 if first is None else None
    for row in outbox.after(db, 0, 1):
        old_s = (now.mono_ms - row["mono_ms"]) // 1000 if row["boot"] == now.boot else None
    return OutboxBacklog(count, size_b, old_s, outbox.quarantined_n(db), outbox.next_seq(db))


class Deferral:
    """Asks the keeper to release or drop messages that wait for a label, if the ward gets only people and vehicles."""

    def __init__(self, store: StoreThread, clock: Clock, released: Callable[[], object]) -> None:
        """`released` is called when the keeper has moved messages into the outbox."""
        self._store, self._clock, self._released = store, clock, released
        self._looking, self._due_mono_s = False, 0.0

    def look_now(self) -> None:
        self._due_mono_s = 0.0

    def turn(self) -> None:
        if self._looking or self._clock.mono_s() < self._due_mono_s:
            return
        self._due_mono_s = self._clock.mono_s() + LABEL_IDLE_S
        self._looking = self._store.ask(lambda db: bool(outbox.oldest_deferred(db, 0, 1)), self._looked)

    def _looked(self, waits: bool | None) -> None:
        if not waits or not self._store.ask(settle_deferred(), self._settled):
            self._settled(Settled() if waits is False else None)

    def _settled(self, settled: Settled | None) -> None:
        self._looking = False
        if settled is None or settled.left_n:
            self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + LABEL_EVERY_S)
        if settled and settled.released_n:
            self._released()


class Leap:
    """Moves the outbox behind the numbers that the ward has: a card that went back in time would give them again."""

    def __init__(self, store: StoreThread, clock: Clock, offers: Offers, moved: threading.Event) -> None:
        """`moved` is set when messages may have got other numbers."""
        self._store, self._clock, self._offers, self._moved = store, clock, offers, moved
        self._known_n = 0                       # a number that the ward has, or that was offered to it
        self._refused: set[int] = set()
        self.at_work = False                    # a question to the store or the keeper is open
        self.ready = False                      # the ward's newest receipt has come, if the broker keeps one
        self._due_mono_s = 0.0

    def doubt(self, known_n: int) -> None:
        """This number was given already, or the ward says so."""
        self._known_n = max(self._known_n, known_n)

    def refused(self, seq: int) -> None:
        """The ward has another message under this number."""
        self._refused.add(seq)

    def turn(self) -> bool:
        """Returns whether numbers are being compared; the caller must fetch no messages meanwhile."""
        if not self.at_work and (self._refused or self._known_n) and self._clock.mono_s() >= self._due_mono_s:
            self.at_work = self._store.ask(outbox.next_seq, functools.partial(
                self._looked, self._known_n, frozenset(self._refused)))
        return self.at_work

    def _looked(self, known_n: int, refused: frozenset[int], next_seq: int | None) -> None:
        done = functools.partial(self._done, known_n, refused)
        if next_seq is None or (not refused and known_n < next_seq):
            done(None if next_seq is None else False)
        elif not self._store.ask(overtake(known_n, self._offers.out_upto(self._offers.cursor), sorted(refused)), done):
            done(None)

    def _done(self, known_n: int, refused: frozenset[int], was_behind: bool | None) -> None:
        self.at_work = False
        if was_behind is not False:             # None: the store failed, and is asked again
            self._due_mono_s = self._clock.mono_s() + LEAP_EVERY_S
        if was_behind is None:
            return
        self._offers.settled(refused)
        self._refused -= refused
        self._known_n = 0 if self._known_n == known_n else self._known_n
        self._moved.set()
