"""The queue of marked events to the city: offers them in order until the city has given its receipt.

A death in between costs a repetition: a mark is deleted only by a receipt for an event that this process has offered.
"""
import logging
from collections import deque

import sqlalchemy as sql
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from agent.core.contract import wire
from agent.core.contract.wire.citytopics import ForwardTopics
from agent.core.delivery.outbox import Offers, OutboxPace
from agent.host.clock import Clock
from agent.mqtt.connection import Outgoing
from agent.mqtt.session import Session
from agent.ward import database, forward_marks
from agent.ward.forward_marks import ForwardBacklog, MarkedEvent

SETTLE_EVERY_S = 0.2            # receipts come in batches: so do the commits for them
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
REFUSED_FROM = 0x80

_log = logging.getLogger(__name__)


class ForwardMetrics:
    """The figures of one forwarder."""

    def __init__(self) -> None:
        """All at zero, and not served yet."""
        self.registry = own = CollectorRegistry()
        ProcessCollector(namespace="taimat_forward", registry=own)
        self.sent = Counter("taimat_forward_sent", "Events sent to the city, repetitions included", registry=own)
        self.settled = Counter("taimat_forward_settled", "Events that got the city's receipt", registry=own)
        self.replays = Counter("taimat_forward_replays", "Stretches that the city asked for again", registry=own)
        self.waiting = Gauge("taimat_forward_waiting_events", "Events without the city's receipt", registry=own)
        self.oldest_s = Gauge("taimat_forward_oldest_seconds", "How long the first of them has waited", registry=own)
        self.refused = Gauge("taimat_forward_refused_events", "Events that the city will not take", registry=own)
        self.connected = Gauge("taimat_forward_connected", "1: the city's broker has us", registry=own)
        self.database_up = Gauge("taimat_forward_database_up", "1: the ward's database can be used", registry=own)

    def show(self, backlog: ForwardBacklog, now_ms: int) -> None:
        """Show how much waits at this moment (UTC ms)."""
        self.waiting.set(backlog.waiting_n)
        self.refused.set(backlog.refused_n)
        self.oldest_s.set(max(0, now_ms - backlog.oldest_ms) / 1000 if backlog.oldest_ms is not None else 0)


class ForwardQueue:
    """Marked events on their way to the city. All methods but the constructor raise DatabaseFault."""

    def __init__(self, engine: sql.Engine, topics: ForwardTopics, clock: Clock, metrics: ForwardMetrics,
                 pace: OutboxPace, look_s: float) -> None:
        """`look_s` is the time between two looks for new marks, which other processes make."""
        self._engine, self._topics, self._clock, self._metrics = engine, topics, clock, metrics
        self._offers, self._look_s = Offers(pace), look_s
        self._fresh: deque[int] = deque()               # marks that were never offered
        self._out: dict[tuple[str, int], int] = {}      # (dev, seq) of an offered event -> its mark
        self._done: list[int] = []                      # marks with a receipt,
        self._refused: dict[int, str] = {}              # or with a refusal, that are not written down yet
        self._look_mono_s = self._settle_mono_s = float("-inf")
        self._may_complain = True

    def turn(self, session: Session) -> None:
        """Write receipts down, and offer what is due or new, as far as pace, window and broker allow."""
        now_mono_s = self._clock.mono_s()
        if now_mono_s >= self._settle_mono_s:
            self.settle()
        limit_n = min(self._offers.allowed_n(now_mono_s), session.room_n)
        if limit_n <= 0:
            return
        again = self._offers.due(now_mono_s, limit_n)
        fresh_n = min(limit_n - len(again), self._offers.fresh_n)
        if fresh_n > 0 and not self._fresh and now_mono_s >= self._look_mono_s:
            self._look(now_mono_s)
        chosen = [*again, *(self._fresh.popleft() for _ in range(min(fresh_n, len(self._fresh))))]
        if chosen:
            self._send(session, chosen, now_mono_s)

    def receipt(self, dev: str, ack: wire.Ack) -> None:
        """Heed a receipt of the city: events that it has, and events that it refuses. Only offered events count."""
        for seq in {*ack.also, *(seq for its, seq in self._out if its == dev and seq <= ack.upto)}:
            if (mark := self._out.pop((dev, seq), None)) is not None:
                self._done.append(mark)
        for each in ack.reject:
            if (mark := self._out.pop((dev, each.seq), None)) is not None:
                self._refused[mark] = each.code
                _log.warning("%s: the city refuses event %d (%s): set aside", dev, each.seq, each.code)

    def replay(self, dev: str, first: int, last: int) -> None:
        """Heed a `replay` of the city: offer at once those of the events that the ward has."""
        with database.transaction(self._engine) as db:
            here = forward_marks.mark_again(db, dev, first, last)
        for mark in self._offers.out(here):
            self._offers.again(mark, mark, self._clock.mono_s())
        self._metrics.replays.inc()
        _log.info("%s: the city misses %d..%d; the ward has %d of them", dev, first, last, len(here))

    def taken(self, mark: int, reason: int) -> None:
        """The city's broker has answered an offer with this PUBACK reason."""
        self._offers.taken(mark)
        if reason >= REFUSED_FROM and self._may_complain:
            self._may_complain = False
            _log.warning("the city's broker refuses our events (reason 0x%02x); they are kept: see its ACL", reason)

    def hurry(self) -> None:
        """Offer again soon: the city's broker is back, and perhaps its ingest with it."""
        self._offers.shorten_waits(self._clock.mono_s())

    def lost(self) -> None:
        """The connection is gone: what was offered on it is offered again."""
        self._may_complain = True
        self._offers.lost(self._clock.mono_s())

    def settle(self) -> None:
        """Write receipts and refusals down."""
        self._settle_mono_s = self._clock.mono_s() + SETTLE_EVERY_S
        if not self._done and not self._refused:
            return
        with database.transaction(self._engine) as db:
            forward_marks.settle(db, self._done)
            for mark, code in self._refused.items():
                forward_marks.set_aside(db, mark, code)
        self._metrics.settled.inc(len(self._done))
        self._offers.settled([*self._done, *self._refused])
        self._offers.shorten_waits(self._clock.mono_s())        # the city's ingest is there
        self._done, self._refused = [], {}

    def measure(self) -> None:
        """Update the figures of what waits."""
        with database.transaction(self._engine) as db:
            backlog = forward_marks.measure(db)
        self._metrics.show(backlog, self._clock.now().wall_ms)

    def _look(self, now_mono_s: float) -> None:
        """Find marks that were never offered, among the first `window_n`: more can't be offered at once."""
        self._look_mono_s = now_mono_s + self._look_s
        with database.transaction(self._engine) as db:
            first = forward_marks.waiting(db, self._offers.pace.window_n)
        out = set(self._offers.out(first))
        self._fresh.extend(mark for mark in first if mark not in out)

    def _send(self, session: Session, chosen: list[int], now_mono_s: float) -> None:
        with database.transaction(self._engine) as db:
            found = forward_marks.marked_events(db, chosen)
        for event in found:
            self._offer(session, event, now_mono_s)
        self._done += set(chosen) - {event.id for event in found}     # these events were deleted

    def _offer(self, session: Session, event: MarkedEvent, now_mono_s: float) -> None:
        message = Outgoing(self._topics.event(event.dev), event.message.encode(), content_type=CONTENT_TYPE)
        self._offers.offered(event.id, now_mono_s)
        if not session.fits(message):
            self._refused[event.id] = "oversize"
            return
        self._out[event.dev, event.seq] = event.id
        session.publish(message, event.id)
        self._metrics.sent.inc()
