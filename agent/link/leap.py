"""A card that went back in time gives numbers again. What waits on it goes on behind those that the ward has."""
import functools
import threading

from agent.core.delivery.outbox import Offers
from agent.host.clock import Clock
from agent.link.store_thread import StoreThread
from agent.store import outbox
from agent.store.link_questions import overtake

REUSED = "seq_reused"       # the ward refuses a message, for it has another one of that number
EVERY_S = 20.0              # a ward that proves at each turn to be ahead must not wear the card


class Leap:
    """Has the card compared with numbers that others know. Works on the loop's thread."""

    def __init__(self, store: StoreThread, clock: Clock, offers: Offers, moved: threading.Event) -> None:
        """`moved` is set when messages may have got other numbers."""
        self._store, self._clock, self._offers, self._moved = store, clock, offers, moved
        self._known_n = 0                       # a number that the ward has, or that it was offered
        self._refused: set[int] = set()
        self.at_work = False                    # the card is being asked
        self.ready = False                      # the ward's newest receipt has come, if the broker keeps one
        self._due_mono_s = 0.0

    def doubt(self, known_n: int) -> None:
        """This number was given, or somebody says so."""
        self._known_n = max(self._known_n, known_n)

    def refused(self, seq: int) -> None:
        """The ward has something else under this number."""
        self._refused.add(seq)

    def turn(self) -> bool:
        """Go on; returns whether numbers are being looked at: nothing is to be fetched meanwhile."""
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
            self._due_mono_s = self._clock.mono_s() + EVERY_S
        if was_behind is None:
            return
        self._offers.settled(refused)
        self._refused -= refused
        self._known_n = 0 if self._known_n == known_n else self._known_n
        self._moved.set()
