"""Drains the outbox: offers messages in order, deletes settled ones, sets aside those that the ward never accepts."""
import functools
import logging
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.core.contract import wire
from agent.core.delivery.outbox import LARGEST_B, Offers, OutboxPace, is_late
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.host.clock import Clock, Instant
from agent.link.audit import Audit
from agent.link.outbox_upkeep import REUSED, Deferral, Leap
from agent.link.store_thread import StoreThread
from agent.mqtt.fault import LinkFault
from agent.mqtt.messages import Outgoing
from agent.mqtt.session import Session
from agent.store import outbox
from agent.store.link_questions import SEQS_MAX, settle_messages

LOOK_EVERY_S = 10.0         # in case a poke gets lost
HOLD_S = 2.0                # while the store fails
NO_MATCHING_SUBSCRIBERS = 16
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class DrainCounts:
    sent_n: int = 0
    settled_n: int = 0
    unheard_n: int = 0          # the broker had no subscriber for them
    refused_n: int = 0


class Drain:
    """Decides on the loop's thread; the store's thread reads, and the keeper writes."""

    def __init__(self, store: StoreThread, clock: Clock, audit: Audit, delivery: Literal["receipt", "puback"],
                 pace: OutboxPace, written: threading.Event) -> None:
        """`written` is set when a message may have been written."""
        self._store, self._clock, self._audit, self._delivery = store, clock, audit, delivery
        self.offers = Offers(pace)
        self._leap = Leap(store, clock, self.offers, written)
        self.deferral = Deferral(store, clock, written.set)
        self.fault: LinkFault | None = None     # while the broker takes no events
        self._fetching = self._settling = False
        self._more = written                    # new messages may lie behind the cursor
        self._more.set()
        self._done: list[int] = []              # settled, and not yet deleted
        self._look_mono_s = self._held_mono_s = 0.0
        self.counts = DrainCounts()

    def poke(self) -> None:
        """A message was written, or a label that a message waits for."""
        self._more.set()
        self.deferral.look_now()

    def wait_s(self, room_n: int) -> float:
        """Seconds until `turn` has something to do, given the session's room."""
        if self._fetching or self._leap.at_work or room_n <= 0 or not self._leap.ready:
            return float("inf")
        now_mono_s = self._clock.mono_s()
        due_s = min(self._look_mono_s - now_mono_s, self.offers.wait_s(now_mono_s, self._more.is_set()))
        return max(self._held_mono_s - now_mono_s, due_s)

    def turn(self, session: Session, topics: wire.Topics) -> None:
        """Fetches due and new messages, as far as rate, window and the broker allow."""
        now_mono_s = self._clock.mono_s()
        if now_mono_s >= self._look_mono_s:
            self._look_mono_s = now_mono_s + LOOK_EVERY_S
            self._more.set()
            self._leap.doubt(self.offers.cursor)        # the database may be another one by now
        if self._fetching or not self._leap.ready or now_mono_s < self._held_mono_s or self._leap.turn():
            return
        limit_n = min(self.offers.allowed_n(now_mono_s), session.room_n)
        if limit_n <= 0:
            return
        again = self.offers.due(now_mono_s, limit_n)
        fresh_n = min(limit_n - len(again), self.offers.fresh_n) if self._more.is_set() else 0
        if again or fresh_n > 0:
            if fresh_n > 0:
                self._more.clear()
            job = functools.partial(_fetch, again=again, after=self.offers.cursor, fresh_n=fresh_n)
            then = functools.partial(self._fetched, session, topics, again, fresh_n)
            self._fetching = self._store.ask(job, then)
            if not self._fetching:
                self._hold()

    def acknowledged(self, seq: int, reason: int) -> None:
        self.offers.taken(seq)
        self.fault = None
        if reason == 0 and self._delivery == "puback":
            self._settle([seq])
        elif reason == NO_MATCHING_SUBSCRIBERS:
            self.counts.unheard_n += 1
        elif reason >= 0x80:
            self.counts.refused_n += 1
            text = f"the broker refuses our events (reason 0x{reason:02x}); they are kept: see its ACL and quota"
            self.fault = LinkFault("evt_refused", text, "refused")
            _log.warning("%s", text)

    def receipt(self, ack: wire.Ack) -> None:
        """The ward has stored messages, or rejects them.

        Only messages that were offered count: a receipt for another card of this device must not empty the outbox.
        """
        rejected = {refusal.seq: refusal.code for refusal in ack.reject}
        for seq in self.offers.out(rejected):
            if rejected[seq] == REUSED and self._delivery == "receipt":
                self._leap.refused(seq)
            else:
                self._set_aside(seq, rejected[seq], "rejected")
        if self._delivery == "receipt":
            if ack.top > self.offers.cursor:
                self._leap.doubt(ack.top)
            has = {*self.offers.out_upto(ack.upto), *self.offers.out(ack.also)}
            self._settle(sorted(has - rejected.keys()))

    def ready(self) -> None:
        """The broker has confirmed our first message, so everything that it kept for us has come."""
        self._leap.ready = True

    def resume(self) -> None:
        self.offers.shorten_waits(self._clock.mono_s())

    def again(self, first: int, last: int) -> None:
        """The ward misses these sequence numbers: offers those at once that exist."""
        self.offers.again(first, last, self._clock.mono_s())
        self.poke()

    def lost(self) -> None:
        self._leap.ready = False
        self.offers.lost(self._clock.mono_s())

    def _fetched(self, session: Session, topics: wire.Topics, again: Sequence[int], fresh_n: int,
                 fetched: tuple[list[wire.Entry], list[int]] | None) -> None:
        self._fetching = False
        if fetched is None:
            self._hold()
            return
        entries, spoiled = fetched
        self._fetching = bool(spoiled) and self._store.ask(settle_messages(spoiled, "undecodable"), self._spoiled_aside)
        for seq in spoiled:
            self._audit.note("undecodable", None, seq)
        self.offers.settled(set(again) - {entry.seq for entry in entries})      # removed meanwhile
        if fresh_n > 0 and sum(entry.seq > self.offers.cursor for entry in entries) == fresh_n:
            self._more.set()
        now = self._clock.now()
        for entry in entries:
            if session.room_n <= 0:
                self._more.set()                # the connection broke, or answers took the room
                return
            self._offer(entry, session, topics, now)

    def _spoiled_aside(self, kinds: list[str] | None) -> None:
        self._fetching = False
        self._more.set()                        # more may lie behind them
        if kinds is None:
            self._hold()

    def _hold(self) -> None:
        """Makes a pause, because the store fails or is slow."""
        self._held_mono_s = self._clock.mono_s() + HOLD_S

    def _offer(self, entry: wire.Entry, session: Session, topics: wire.Topics, now: Instant) -> None:
        payload = wire.cloud_event(topics.ward, topics.dev, entry, is_late(entry, now.boot, now.mono_ms))
        message = Outgoing(topics.evt, payload, content_type=CONTENT_TYPE)
        self.offers.offered(entry.seq, now.mono_ms / 1000)
        if len(message.payload) > LARGEST_B or not session.fits(message):
            self.offers.taken(entry.seq)
            self._set_aside(entry.seq, "oversize", "oversize")
            return
        session.publish(message, entry.seq)
        self.counts.sent_n += 1

    def _settle(self, seqs: Iterable[int]) -> None:
        self._done.extend(seqs)
        if self._done and not self._settling:
            batch, self._done = self._done[:SEQS_MAX], self._done[SEQS_MAX:]
            self._settling = self._store.ask(settle_messages(batch), functools.partial(self._settled, batch))

    def _settled(self, seqs: list[int], done: list[str] | None) -> None:
        """They are deleted; or the card failed, so they are offered again and settled then."""
        self._settling = False
        if done is not None:
            self.offers.settled(seqs)
            self.offers.shorten_waits(self._clock.mono_s())
            self.counts.settled_n += len(seqs)
        self._settle([])

    def _set_aside(self, seq: int, code: str, why: str) -> None:
        def then(kinds: list[str] | None) -> None:
            if kinds is None:
                return                          # the store failed: it is offered again, and set aside then
            self.offers.settled([seq])
            if kinds and kinds[0] != "security":    # gone already; or an event about an event, without end
                self._audit.note(why, code, seq)

        self._store.ask(settle_messages([seq], code), then)


def _fetch(db: sqlite3.Connection, again: Sequence[int], after: int,
           fresh_n: int) -> tuple[list[wire.Entry], list[int]]:
    """Returns those of `again` that still exist and up to `fresh_n` after `after`; and the seqs of unreadable ones."""
    there = outbox.seqs(db, after + 1, WHOLE_MAX, fresh_n)      # before the rows: a new message is no gap
    rows = [row for seq in again for row in outbox.after(db, seq - 1, 1) if row["seq"] == seq]
    rows += outbox.after(db, after, fresh_n) if fresh_n else []
    spoiled = sorted(set(there) - {row["seq"] for row in rows})
    return [wire.Entry(*row) for row in rows], spoiled
