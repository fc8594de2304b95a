"""The ward's ingest: takes in what devices tell, commits it, and only then sends receipts.

Without its database it is no ingest: it says so to the devices, leaves the broker, and comes back with the database.
`python -m agent.ward.ingest`
"""
import argparse
import logging
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.contract import wire
from agent.core.contract.wire.citytopics import CityTopics, WardTopics
from agent.core.delivery.backoff import Backoff, Waits
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.notify import notify
from agent.host.stop import Stop
from agent.mqtt.connection import Arrived, Connection, Outgoing
from agent.mqtt.credentials import load as load_credentials
from agent.mqtt.session import Acknowledged, Session, Told, Up
from agent.ward import replay as asking
from agent.ward import settings
from agent.ward import settings as roster
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.device_cache import Book
from agent.ward.intake import Intake
from agent.ward.metrics import Metrics, MetricsFault
from agent.ward.presence import presence

NAME = "ingest"
SHARE = "ingest"                # the group of ingests that share a city's events
EXIT_METRICS = 69               # sysexits.h EX_UNAVAILABLE
SESSION_S = 7 * 86_400          # so long the broker keeps events for us
SHARED_SESSION_S = 0            # not at all where others take them in our place
STATE_LIVES_S, STATE_EVERY_S = 300, 100.0
RECEIPT_LIVES_S = 3600
WILL_DELAY_S = 30               # a restart is no outage
TICK_S = 0.25                   # also how soon a stop is heard
TIDY_EVERY_S = 3600.0
PRUNE_N, PRUNE_EVERY_S = 200, 1.0       # a few ms at a time: several times as fast as events come
PRUNE_FIRST_S = 60.0        # a start has enough to do
DAY_MS = 86_400_000
FAREWELL_S = 1.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tempo:
    """The waits of an ingest; tests set shorter ones."""

    waits: Waits = field(default_factory=lambda: Waits(lost_s=5.0, step_s=2.0, longest_s=10.0, hopeless_s=(30.0, 60.0)))
    database_s: float = 5.0     # between two tries to open it
    look_s: float = 5.0         # between two looks at who is there and what is missing


class Ingest:
    """One stay at the broker, with the database open."""

    def __init__(self, own: settings.Settings, book: Book, clock: Clock, metrics: Metrics, tempo: Tempo,
                 draw: Callable[[], float] = random.random) -> None:
        self._own, self._clock, self._metrics, self._book = own, clock, metrics, book
        self._look_s = tempo.look_s
        self._topics = topics_of(own.ward)
        self._intake = Intake(self._topics, book, clock, metrics)
        self._session = Session(self._connect, clock, Backoff(tempo.waits), draw)
        self._state_mono_s = self._look_mono_s = self._tidy_mono_s = float("-inf")
        self._prune_mono_s = clock.mono_s() + PRUNE_FIRST_S

    def run(self, stop: Stop) -> None:
        """Take in until told to stop, and leave in order. Raises DatabaseFault."""
        try:
            while not stop.is_set():
                self._turn()
            self._intake.commit()
        finally:
            self._leave()

    def _turn(self) -> None:
        self._wait(min(TICK_S, self._intake.wait_s()))
        if self._intake.wait_s() <= 0:
            self._intake.commit()
        now_mono_s = self._clock.mono_s()
        self._metrics.connected.set(self._session.up)
        if self._session.up:
            self._send_receipts()
            if now_mono_s >= self._state_mono_s:
                self._say()
        if now_mono_s >= self._look_mono_s:
            self._look_mono_s = now_mono_s + self._look_s
            notify("WATCHDOG=1")
            self._look()
        if now_mono_s >= self._tidy_mono_s:
            self._tidy_mono_s = now_mono_s + TIDY_EVERY_S
            self._book.forget_history(self._clock.now().wall_ms - self._own.database.health_days * DAY_MS)
        if now_mono_s >= self._prune_mono_s and not self._book.waiting_n:
            self._prune(now_mono_s)

    def _wait(self, timeout_s: float) -> None:
        """Sleep until something comes or is due, and handle what came."""
        for each in self._session.wait(timeout_s):
            self._hear(each)

    def _hear(self, each: Told) -> None:
        match each:
            case Up():
                self._state_mono_s = float("-inf")
            case Arrived():
                self._intake.take(each)
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the broker refused our message on %s (reason 0x%02x): see its ACL", tag, reason)

    def _send_receipts(self) -> None:
        while self._session.room_n > 0 and (owed := self._intake.receipts.next()):
            dev, ack = owed
            topic = self._topics.receipt(dev)
            self._session.publish(Outgoing(topic, wire.encode(ack), expiry_s=RECEIPT_LIVES_S), topic)
            self._metrics.receipts.inc()

    def _prune(self, now_mono_s: float) -> None:
        """Delete some old events, in a moment when nobody waits for a receipt; go on soon if there are more.

        Only by a clock that is set: one that has jumped ahead would make all events old.
        """
        days, now, pruned_n = self._own.database.event_days, self._clock.now(), 0
        if days and now.clock == "ntp":
            pruned_n = self._book.forget_events(now.wall_ms - days * DAY_MS, PRUNE_N)
        elif days:
            _log.info("old events are not deleted: this machine's clock is not set by NTP; see timedatectl")
        self._metrics.pruned.inc(pruned_n)
        self._prune_mono_s = now_mono_s + (PRUNE_EVERY_S if pruned_n else TIDY_EVERY_S)

    def _say(self) -> None:
        """Tell every device of the ward that we are at work."""
        self._state_mono_s = self._clock.mono_s() + STATE_EVERY_S
        if state := self._state(online=True, expiry_s=STATE_LIVES_S):
            self._session.post(state)

    def _state(self, online: bool, expiry_s: int | None = None) -> Outgoing | None:
        """None in a city: one of several ingests can't speak for all, and no forwarder waits for it."""
        if (topic := self._topics.state) is None:
            return None
        return Outgoing(topic, wire.encode(wire.WardState(online=online)), retain=True, expiry_s=expiry_s)

    def _look(self) -> None:
        """Who is there, and what is missing of whom."""
        now_ms = self._clock.now().wall_ms
        devices = self._book.devices.values()
        maintained = self._maintained()
        self._metrics.show_presence(presence(device.standing, now_ms, device.dev in maintained).state
                                    for device in devices)
        self._metrics.missing.set(sum(hole.last - hole.first + 1 for device in devices for hole in device.reach.holes))
        if self._session.up:
            for dev, command in asking.due(self._book, self._topics, now_ms):
                _log.info("%s: events are missing; asked for them again", dev)
                self._session.post(command)
                self._metrics.replays.inc()

    def _maintained(self) -> frozenset[str]:
        """Devices that somebody works on; none while their list can't be read, for that must not stop an ingest."""
        try:
            return roster.read(self._own.ward.devices_file).maintained
        except ConfigError as error:
            _log.warning("%s", error)
            return frozenset()

    def _connect(self) -> Connection:
        """Prepare the next connection. Raises LinkFault."""
        ward = self._own.ward
        credentials = load_credentials(ward, ward.name)
        return Connection(ward.host, ward.port, credentials, ward.keepalive_s, self._topics,
                          self._state(online=False), WILL_DELAY_S, SHARED_SESSION_S if ward.shared else SESSION_S)

    def _leave(self) -> None:
        """Send the receipts that are owed, say that we go, and wait a little until the broker has heard it."""
        if self._session.up:
            self._send_receipts()
        self._session.leave(self._state(online=False), FAREWELL_S, self._hear)
        self._metrics.connected.set(0)


def topics_of(ward: settings.Ward) -> WardTopics | CityTopics:
    """The topics that the settings name: a ward's, or a city's."""
    if not ward.wards:
        return WardTopics(ward.ward)
    return CityTopics(() if settings.ALL in ward.wards else tuple(ward.wards), SHARE if ward.shared else "")


def serve(own: settings.Settings, clock: Clock, stop: Stop, tempo: Tempo | None = None) -> None:
    """Ingest until told to stop, with however many databases' faults in between. Raises MetricsFault."""
    tempo, metrics = tempo or Tempo(), Metrics()
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, own.metrics.port)
    notify("READY=1")
    while not stop.is_set():
        try:
            _stay(own, clock, stop, metrics, tempo)
        except DatabaseFault as error:
            metrics.database_up.set(0)
            _log.error("%s", error)
            notify("WATCHDOG=1")
            stop.wait(tempo.database_s)


def _stay(own: settings.Settings, clock: Clock, stop: Stop, metrics: Metrics, tempo: Tempo) -> None:
    engine = open_engine(own.database.url)
    try:
        book = Book(engine, for_city=bool(own.city.host))
        metrics.database_up.set(1)
        Ingest(own, book, clock, metrics, tempo).run(stop)
    finally:
        engine.dispose()


def main(argv: Sequence[str] | None = None, tempo: Tempo | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward ingest")
    parser.add_argument("--config", type=Path, required=True)
    try:
        own = settings.load(parser.parse_args(argv).config)
        log.set_up(NAME, own.log.level)
        serve(own, SystemClock(), Stop().on_signals(), tempo)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except MetricsFault as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return EXIT_METRICS
    notify("STOPPING=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
