"""The ward's forwarder: sends every event of the ward's database to the city, until the city has sent its receipt.

Its queue offers marked events in order. A crash costs only a repetition: a mark is deleted by the receipt for an event
that this process has offered.
"""
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sql

from agent.config.load import ConfigError
from agent.core.contract import wire
from agent.core.contract.wire import commands
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.outbox import Offers, OutboxPace
from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import load as load_credentials
from agent.mqtt.fault import FORWARDER
from agent.mqtt.messages import Acknowledged, Arrived, ConnectOptions, Outgoing
from agent.mqtt.session import Down, Session, SessionEvent, Up
from agent.ward import database, events, settings
from agent.ward.citytopics import ForwardTopics
from agent.ward.database import DatabaseFault, open_engine, while_there
from agent.ward.device_cache import read_devices
from agent.ward.events import MarkedEvent
from agent.ward.exits import OPS, ended
from agent.ward.metrics import ForwardMetrics
from agent.ward.service import run
from agent.ward.ward_side import SEQ_MAX

SETTLE_EVERY_S = 0.2            # receipts come in batches: so do the commits for them
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
REFUSED_FROM = 0x80


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
        """Stores receipts, and offers due or new events, as far as pace, window and broker allow."""
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
        """Settles the events that the city has or refuses. Only offered events count."""
        for seq in {*ack.also, *(seq for its, seq in self._out if its == dev and seq <= ack.upto)}:
            if (mark := self._out.pop((dev, seq), None)) is not None:
                self._done.append(mark)
        for each in ack.reject:
            if (mark := self._out.pop((dev, each.seq), None)) is not None:
                self._refused[mark] = each.code
                _log.warning("%s: the city refuses event %d (%s): set aside", dev, each.seq, each.code)

    def replay(self, dev: str, first: int, last: int) -> None:
        """Offers at once those of the events `first`..`last` that the ward has."""
        with database.transaction(self._engine) as db:
            here = events.mark_again(db, dev, first, last)
        for mark in self._offers.out(here):
            self._offers.again(mark, mark, self._clock.mono_s())
        self._metrics.replays.inc()
        _log.info("%s: the city misses %d..%d; the ward has %d of them", dev, first, last, len(here))

    def taken(self, mark: int, reason: int) -> None:
        self._offers.taken(mark)
        if reason >= REFUSED_FROM and self._may_complain:
            self._may_complain = False
            _log.warning("the city's broker refuses our events (reason 0x%02x); they are kept: see its ACL", reason)

    def retry_soon(self) -> None:
        """Offers again soon: the city's broker is back, and perhaps its ingest, too."""
        self._offers.shorten_waits(self._clock.mono_s())

    def lost(self) -> None:
        """Schedules what was offered on the lost connection again."""
        self._may_complain = True
        self._offers.lost(self._clock.mono_s())

    def settle(self) -> None:
        self._settle_mono_s = self._clock.mono_s() + SETTLE_EVERY_S
        if not self._done and not self._refused:
            return
        with database.transaction(self._engine) as db:
            events.settle_marks(db, self._done)
            for mark, code in self._refused.items():
                events.set_aside(db, mark, code)
        self._metrics.settled.inc(len(self._done))
        self._offers.settled([*self._done, *self._refused])
        self._offers.shorten_waits(self._clock.mono_s())        # the city's ingest is there
        self._done, self._refused = [], {}

    def measure(self) -> None:
        with database.transaction(self._engine) as db:
            backlog = events.measure_backlog(db)
        waited_ms = 0 if backlog.oldest_ms is None else self._clock.now().wall_ms - backlog.oldest_ms
        self._metrics.waiting.set(backlog.waiting_n)
        self._metrics.refused.set(backlog.refused_n)
        self._metrics.oldest_s.set(max(0, waited_ms) / 1000)

    def _look(self, now_mono_s: float) -> None:
        """Finds marks that were never offered, among the first `window_n`: more can't be offered at once."""
        self._look_mono_s = now_mono_s + self._look_s
        with database.transaction(self._engine) as db:
            first = events.waiting_marks(db, self._offers.pace.window_n)
        out = set(self._offers.out(first))
        self._fresh.extend(mark for mark in first if mark not in out)

    def _send(self, session: Session, chosen: list[int], now_mono_s: float) -> None:
        with database.transaction(self._engine) as db:
            found = events.marked_events(db, chosen)
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


NAME = "forward"
BURST_N = 20.0
TICK_S = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ForwardTempo:
    waits: Waits = field(default_factory=Waits)
    again_s: float = 30.0       # offered again after this, doubled each time,
    again_max_s: float = 600.0  # up to this
    database_s: float = 5.0     # between two tries to open it
    look_s: float = 0.5         # between two queries for new events
    measure_s: float = 5.0


class Forwarder:
    def __init__(self, own: settings.Settings, engine: sql.Engine, clock: Clock, metrics: ForwardMetrics,
                 tempo: ForwardTempo, draw: Callable[[], float] = random.random) -> None:
        self._own, self._clock, self._metrics, self._tempo = own, clock, metrics, tempo
        self._topics = ForwardTopics(own.ward.ward)
        pace = OutboxPace(own.city.events_per_s, BURST_N, tempo.again_s, tempo.again_max_s)
        self._queue = ForwardQueue(engine, self._topics, clock, metrics, pace, look_s=tempo.look_s)
        self._session = Session(self._connect, clock, Backoff(tempo.waits), draw, FORWARDER)
        self._measure_mono_s = float("-inf")

    def run(self, stop: Stop) -> None:
        """Raises DatabaseFault."""
        try:
            while not stop.is_set():
                self._turn()
            self._queue.settle()
        finally:
            self._session.close()
            self._metrics.connected.set(0)

    def _turn(self) -> None:
        for each in self._session.wait(TICK_S):
            self._hear(each)
        self._metrics.connected.set(self._session.up)
        self._queue.turn(self._session)
        now_mono_s = self._clock.mono_s()
        if now_mono_s >= self._measure_mono_s:
            self._measure_mono_s = now_mono_s + self._tempo.measure_s
            notify("WATCHDOG=1")
            self._queue.measure()

    def _hear(self, each: SessionEvent) -> None:
        match each:
            case Up():
                self._queue.retry_soon()
            case Down():
                self._queue.lost()
            case Acknowledged(int() as mark, reason):
                self._queue.taken(mark, reason)
            case Arrived():
                self._read(each)

    def _read(self, arrived: Arrived) -> None:
        to = self._topics.to_device(arrived.topic)
        if to is None or arrived.retained:
            return
        try:
            if to.what == "ack":
                self._queue.receipt(to.dev, wire.decode(wire.Ack, arrived.payload))
                return
            command = wire.decode(wire.Command, arrived.payload)
            wanted = commands.args(command, commands.Replay)
        except DatabaseFault:
            raise
        except wire.BadPayload as bad:
            _log.warning("%s: not understood (%s): is the city's ingest of another version?", arrived.topic, bad)
            return
        except Exception as error:      # ours: events must go on
            _log.error("%s: %r over this message: a fault of ours, please report it", arrived.topic, error)
            return
        if self._clock.now().wall_ms < command.exp:
            self._queue.replay(to.dev, wanted.first, wanted.last)

    def _connect(self) -> Connection:
        city = self._own.city
        credentials = load_credentials(city, f"{NAME}-{self._own.ward.ward}")
        return Connection(city.host, city.port, credentials, self._topics.subscriptions,
                          ConnectOptions(city.keepalive_s))


def serve(own: settings.Settings, clock: Clock, stop: Stop, tempo: ForwardTempo | None = None) -> None:
    """Raises CannotServe."""
    tempo, metrics = tempo or ForwardTempo(), ForwardMetrics()
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, own.city.metrics_port, "[city] metrics_port")

    def stay(engine: sql.Engine) -> None:
        metrics.database_up.set(1)
        Forwarder(own, engine, clock, metrics, tempo).run(stop)
    while_there(own.database.url, stop, stay, lambda: metrics.database_up.set(0), tempo.database_s)


def main(config: Path, tempo: ForwardTempo | None = None) -> int:
    return run(NAME, config, lambda own, clock, stop: serve(_with_city(config, own), clock, stop, tempo))


@ended(OPS)
def run_mark_all(config: Path) -> int:
    engine = open_engine(_with_city(config, settings.load(config)).database.url)
    for device in read_devices(engine):                 # one transaction each, so that others need not wait long
        with database.transaction(engine) as db:
            events.mark_again(db, device.dev, 1, SEQ_MAX)
    with database.transaction(engine) as db:
        waiting_n = events.measure_backlog(db).waiting_n
    engine.dispose()
    print(f"{waiting_n} events wait for the city; to send them: taimat ward forward, or the running service")
    return 0


def _with_city(config: Path, own: settings.Settings) -> settings.Settings:
    if not own.city.host:
        raise ConfigError(f"{config}: [city] host: names no broker; without a city there is nothing to do")
    return own
