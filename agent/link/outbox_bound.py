"""Measures the outbox and keeps it within its bound.

First health history goes, then motion is folded into hourly counts, and a gap message says so.
"""
import functools
import logging
import sqlite3
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.delivery.outbox import BOUND_B, GIVES_WAY, fold
from agent.host.clock import Clock, Instant
from agent.link.store_thread import StoreThread
from agent.store import outbox
from agent.store.database import transaction

DOWN_TO = 0.9               # of the bound, so that it is not reached again at once
ROWS_A_ROUND = 500
ROW_B = 100                 # what a row takes beside its data, as store.outbox.waiting counts
QUARANTINE_KEPT_N = 1000
ROUNDS_MAX = 20             # of writing to the card in one call
MEASURE_EVERY_S = 30.0
MEASURE_SHARE = 100         # measuring a long outbox reads it all: at most a hundredth of the time goes into that

_log = logging.getLogger(__name__)


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
            job = functools.partial(_look, now=now, clock=self._clock, after_seq=after_seq)
            self._measuring = self._store.ask(job, functools.partial(self._measured, now))

    def _measured(self, began: Instant, backlog: OutboxBacklog | None) -> None:
        self._measuring = False
        self.backlog = backlog or self.backlog
        lasted_s = self._clock.mono_s() - began.mono_ms / 1000
        self._due_mono_s = self._clock.mono_s() + max(MEASURE_EVERY_S, MEASURE_SHARE * lasted_s)


def _look(db: sqlite3.Connection, now: Instant, clock: Clock, after_seq: int) -> OutboxBacklog:
    backlog = measure(db, now)
    return measure(db, now) if keep(db, clock, backlog, after_seq) else backlog


def measure(db: sqlite3.Connection, now: Instant) -> OutboxBacklog:
    """Count what waits; reads the whole outbox. Raises sqlite3.Error."""
    count, size_b, first = outbox.waiting(db)
    old_s = 0 if first is None else None
    for row in outbox.after(db, 0, 1):
        old_s = (now.mono_ms - row["mono_ms"]) // 1000 if row["boot"] == now.boot else None
    return OutboxBacklog(count, size_b, old_s, outbox.quarantined_n(db), outbox.next_seq(db))


def keep(db: sqlite3.Connection, clock: Clock, backlog: OutboxBacklog, after_seq: int, bound_b: int = BOUND_B) -> int:
    """Make the outbox smaller where it exceeds `bound_b`; messages up to `after_seq` are under way and stay.

    Returns how many messages gave way; called again and again, it does some of the work each time.
    Raises sqlite3.Error.
    """
    if backlog.quarantine_n > QUARANTINE_KEPT_N:
        with transaction(db):
            outbox.trim_quarantine(db, QUARANTINE_KEPT_N)
    if backlog.bytes <= bound_b:
        return 0
    size_b, folded_n = backlog.bytes, 0
    for _ in range(ROUNDS_MAX):
        count, freed_b = _fold_once(db, clock, after_seq)
        folded_n, size_b = folded_n + count, size_b - freed_b
        if count == 0 or size_b <= DOWN_TO * bound_b:
            break
    _log.warning("the outbox is full: %d messages gave way to a count of them; is the ward reachable?", folded_n)
    return folded_n


def _fold_once(db: sqlite3.Connection, clock: Clock, after_seq: int) -> tuple[int, int]:
    """One gap message in the place of the oldest that give way: how many it stands for, and the bytes gained."""
    for kind in GIVES_WAY:
        entries = [wire.Entry(*row) for row in outbox.oldest_of(db, kind, after_seq, ROWS_A_ROUND)]
        if entries:
            return _replace(db, clock, entries)
    return 0, 0


def _replace(db: sqlite3.Connection, clock: Clock, entries: list[wire.Entry]) -> tuple[int, int]:
    gap, count = fold(entries)
    gone, data = entries[:count], wire.encode(gap)
    with transaction(db):
        outbox.settle(db, [entry.seq for entry in gone])
        outbox.append(db, "gap", None, clock.now(), data)
    return count, sum(len(entry.data) + ROW_B for entry in gone) - len(data) - ROW_B
