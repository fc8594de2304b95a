"""Watches the wall clock: notes its changes, dates the index, and may forbid deletion (docs/design/storage.md).

It also notes regularly that the keeper runs, so that days can be shown on which the recorder was off. It does so
rarely, because each note wears the card: after a power cut, the time without power may seem to begin that much too
early.
"""
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.clock import DISTRUST_S, RANK, ClockChange, ClockWatch
from agent.host import clock_state
from agent.host.clock import Instant
from agent.store import absences, announce, boots, clips, meta
from agent.store.database import transaction

NOTE_EVERY_MS = 300_000
DISTRUST = "clock_distrusted"   # meta key: boot, second until which age deletes nothing, second of writing
WEIGH_EVERY_S = 3600.0          # a time becomes credible by holding for a day

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LifeNotes:
    number: int = 0             # of its row; 0 before the first note
    next_mono_ms: int = 0

    def look(self, db: sqlite3.Connection, now: Instant, at_end: bool = False) -> None:
        """Notes it, if it is time or at the end. Raises sqlite3.Error."""
        if now.mono_ms >= self.next_mono_ms or at_end:
            with transaction(db):
                if not (self.number and absences.extend_life(db, self.number, now)):
                    self.number = absences.begin_life(db, now)
            self.next_mono_ms = now.mono_ms + NOTE_EVERY_MS


@dataclass(slots=True)
class Timekeeper:
    read_error_ms: Callable[[], int | None] = clock_state.error_ms
    watch: ClockWatch = field(default_factory=ClockWatch)
    step_ms: int | None = None          # the latest step
    next_weighing_mono_s: float = 0.0
    lives: LifeNotes = field(default_factory=LifeNotes)
    recalled: bool = False              # `recall` has run; before that, age deletes nothing

    def recall(self, db: sqlite3.Connection, now: Instant) -> None:
        """Loads what earlier processes knew, so that a step between two of them is noticed. Raises sqlite3.Error."""
        boots.remember(db, now.boot)
        known = boots.anchors(db, now.boot)
        offset_ms = known[-1]["offset_ms"] if known else None
        self.watch = ClockWatch(offset_ms, offset_ms, max((RANK.get(row["clock"], 0) for row in known), default=0),
                                _distrusted_until_mono_s(db, now))
        self.recalled = True

    def look(self, db: sqlite3.Connection, now: Instant) -> ClockChange | None:
        """Notes what happened to the clock; returns it for the ward. Raises sqlite3.Error, and then looks again."""
        self.lives.look(db, now)
        newest_wall_ms = clips.newest_wall_ms(db) if self.watch.is_news(now.clock) else None
        watch, seen, moved_ms = self.watch.step(now.mono_ms, now.wall_ms, now.clock, newest_wall_ms)
        if watch.offset_ms != self.watch.offset_ms or seen:
            self._note(db, now, watch, seen, moved_ms)
        elif now.mono_ms / 1000 >= self.next_weighing_mono_s:
            self._weigh(db, now, watch)
        self.watch = watch
        return seen

    def may_delete(self, now: Instant) -> bool:
        return self.recalled and self.watch.may_delete(now.mono_ms / 1000, now.clock)

    def _note(self, db: sqlite3.Connection, now: Instant, watch: ClockWatch, seen: ClockChange | None,
              moved_ms: int) -> None:
        error_ms = self.read_error_ms()
        with transaction(db):
            boots.date(db, now.boot, now.wall_ms - now.mono_ms, now.mono_ms, now.clock, err_ms=error_ms)
            if seen:
                announce.clock(db, now, seen.value, moved_ms or None, error_ms)
            _put_distrust(db, now, watch)
        self.step_ms = moved_ms or self.step_ms
        if seen:
            moved = f"; it was moved by {moved_ms / 1000:+.0f} s" if moved_ms else ""
            _log.info("the clock is %s now%s", now.clock, moved)

    def _weigh(self, db: sqlite3.Connection, now: Instant, watch: ClockWatch) -> None:
        with transaction(db):
            boots.settle(db, now.boot, now.mono_ms)
            _put_distrust(db, now, watch)
        now_mono_s, trusted_mono_s = now.mono_ms / 1000, watch.distrusted_until_mono_s
        self.next_weighing_mono_s = now_mono_s + WEIGH_EVERY_S
        if trusted_mono_s > now_mono_s:
            self.next_weighing_mono_s = min(self.next_weighing_mono_s, trusted_mono_s)


def _put_distrust(db: sqlite3.Connection, now: Instant, watch: ClockWatch) -> None:
    until_mono_s, now_mono_s = watch.distrusted_until_mono_s, now.mono_ms / 1000
    text = f"{now.boot} {until_mono_s:.0f} {now_mono_s:.0f}" if until_mono_s > now_mono_s else ""
    if text != (meta.get(db, DISTRUST) or ""):
        meta.put(db, DISTRUST, text)


def _distrusted_until_mono_s(db: sqlite3.Connection, now: Instant) -> float:
    """Returns until when age deletes nothing. A restart does not make a step older; a reboot pauses the wait.

    So a machine that loses its power every night also gets through the wait.
    """
    match (meta.get(db, DISTRUST) or "").split():
        case [boot, until_mono_s, _] if boot == now.boot:
            return float(until_mono_s)
        case [_, until_mono_s, written_mono_s]:
            return now.mono_ms / 1000 + float(until_mono_s) - float(written_mono_s)
        case [_, *_]:
            return now.mono_ms / 1000 + DISTRUST_S      # by a version that did not note the time of writing
    return 0.0
