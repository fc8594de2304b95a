"""Measures the outbox, and has the keeper make it smaller where it exceeds its bound."""
import functools
import sqlite3
from dataclasses import dataclass

from agent.core.delivery.outbox import BOUND_B, QUARANTINE_KEPT_N
from agent.host.clock import Clock, Instant
from agent.link.store_thread import StoreThread
from agent.store import outbox
from agent.store.link_questions import fold_outbox

MEASURE_EVERY_S = 30.0
MEASURE_SHARE = 100         # measuring a long outbox reads it all: at most a hundredth of the time goes into that


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """What waits, as last measured; None is unknown."""

    n: int | None = None
    bytes: int = 0
    old_s: int | None = None            # age of the oldest; unknown if it is from an earlier boot
    quarantine_n: int = 0
    seq_next: int | None = None         # what the next message will get


class OutboxMeter:
    """Works on the loop's thread: sees to it, now and then, that `backlog` is true and not too much."""

    def __init__(self, store: StoreThread, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.backlog = OutboxBacklog()
        self._measuring, self._due_mono_s = False, 0.0

    def turn(self, after_seq: int) -> None:
        """Measure if it is time; messages up to `after_seq` are under way and must stay."""
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
    """Count what waits; reads the whole outbox. Raises sqlite3.Error."""
    count, size_b, first = outbox.waiting(db)
    old_s = 0 if first is None else None
    for row in outbox.after(db, 0, 1):
        old_s = (now.mono_ms - row["mono_ms"]) // 1000 if row["boot"] == now.boot else None
    return OutboxBacklog(count, size_b, old_s, outbox.quarantined_n(db), outbox.next_seq(db))
