"""The ward's forwarder: sends every event of the ward's database to the city, until the city's receipt is there."""
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sql

from agent.config.load import ConfigError
from agent.core.contract import wire
from agent.core.contract.wire import commands
from agent.core.contract.wire.citytopics import ForwardTopics
from agent.core.contract.wire.ward_side import SEQ_MAX
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.outbox import OutboxPace
from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.mqtt.connection import Acknowledged, Arrived, Connection
from agent.mqtt.credentials import load as load_credentials
from agent.mqtt.fault import FORWARDER
from agent.mqtt.session import Down, Session, Told, Up
from agent.ward import database, forward_marks, settings
from agent.ward.database import DatabaseFault, open_engine, while_there
from agent.ward.device_cache import read_devices
from agent.ward.exits import EXIT_NOT_WRITTEN, OPS, ended
from agent.ward.forward_queue import ForwardMetrics, ForwardQueue
from agent.ward.metrics import MetricsFault
from agent.ward.metrics import serve as serve_metrics
from agent.ward.service import run

NAME = "forward"
EXIT_METRICS = 69               # sysexits.h EX_UNAVAILABLE
BURST_N = 20.0
TICK_S = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ForwardTempo:
    """The waits of a forwarder; tests set shorter ones."""

    waits: Waits = field(default_factory=Waits)
    again_s: float = 30.0       # offered again after this, doubled each time,
    again_max_s: float = 600.0  # up to this
    database_s: float = 5.0     # between two tries to open it
    look_s: float = 0.5         # between two looks for new events
    measure_s: float = 5.0


class Forwarder:
    """One stay at the city's broker, with the database open."""

    def __init__(self, own: settings.Settings, engine: sql.Engine, clock: Clock, metrics: ForwardMetrics,
                 tempo: ForwardTempo, draw: Callable[[], float] = random.random) -> None:
        self._own, self._clock, self._metrics, self._tempo = own, clock, metrics, tempo
        self._topics = ForwardTopics(own.ward.ward)
        pace = OutboxPace(own.city.events_per_s, BURST_N, tempo.again_s, tempo.again_max_s)
        self._queue = ForwardQueue(engine, self._topics, clock, metrics, pace, tempo.look_s)
        self._session = Session(self._connect, clock, Backoff(tempo.waits), draw, FORWARDER)
        self._measure_mono_s = float("-inf")

    def run(self, stop: Stop) -> None:
        """Forward until `stop`. Raises DatabaseFault."""
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

    def _hear(self, each: Told) -> None:
        match each:
            case Up():
                self._queue.hurry()
            case Down():
                self._queue.lost()
            case Acknowledged(int() as mark, reason):
                self._queue.taken(mark, reason)
            case Arrived():
                self._read(each)

    def _read(self, arrived: Arrived) -> None:
        """Read a receipt or `replay` that the city's ingest sends to one of the ward's devices."""
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
        except Exception as error:      # ours, whatever it is: events must go on
            _log.error("%s: %r over this message: a fault of ours, please report it", arrived.topic, error)
            return
        if self._clock.now().wall_ms < command.exp:
            self._queue.replay(to.dev, wanted.first, wanted.last)

    def _connect(self) -> Connection:
        """Prepare the next connection. Raises LinkFault."""
        city = self._own.city
        credentials = load_credentials(city, f"{NAME}-{self._own.ward.ward}")
        return Connection(city.host, city.port, credentials, city.keepalive_s, self._topics, None, 0)


def mark_all(own: settings.Settings) -> None:
    """Mark every event of the ward for the city; the forwarder that runs will send them. Raises DatabaseFault."""
    engine = open_engine(own.database.url)
    for device in read_devices(engine):                 # a transaction each, so that nobody waits long for the database
        with database.transaction(engine) as db:
            forward_marks.mark_again(db, device.dev, 1, SEQ_MAX)
    with database.transaction(engine) as db:
        waiting_n = forward_marks.measure(db).waiting_n
    engine.dispose()
    print(f"{waiting_n} events wait for the city; to bring them there: taimat ward forward, or the service that runs")


def serve(own: settings.Settings, clock: Clock, stop: Stop, tempo: ForwardTempo | None = None) -> None:
    """Forward until `stop`, through any number of database faults. Raises MetricsFault."""
    tempo, metrics = tempo or ForwardTempo(), ForwardMetrics()
    if own.metrics.enabled:
        serve_metrics(metrics.registry, own.metrics.listen, own.city.metrics_port, "[city] metrics_port")

    def stay(engine: sql.Engine) -> None:
        metrics.database_up.set(1)
        Forwarder(own, engine, clock, metrics, tempo).run(stop)
    while_there(own.database.url, stop, stay, lambda: metrics.database_up.set(0), tempo.database_s)


def main(config: Path, tempo: ForwardTempo | None = None) -> int:
    """The entry of the service. Returns the exit code."""
    return run(NAME, config, lambda own, clock, stop: serve(_with_city(config, own), clock, stop, tempo),
               {DatabaseFault: EXIT_NOT_WRITTEN, MetricsFault: EXIT_METRICS})


@ended(OPS)
def run_mark_all(config: Path) -> int:
    """Mark all events for the city; the running forwarder brings them."""
    mark_all(_with_city(config, settings.load(config)))
    return 0


def _with_city(config: Path, own: settings.Settings) -> settings.Settings:
    if not own.city.host:
        raise ConfigError(f"{config}: [city] host: names no broker; without a city there is nothing to do")
    return own
