"""The ward's ingest: receives the devices' messages, commits them, and only then sends receipts.

If its database is away, it publishes that, leaves the broker, and returns with the database.
"""
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sql
from msgspec.structs import replace

from agent.config.load import ConfigError
from agent.core.contract import ulid, wire
from agent.core.contract.wire.commands import plain
from agent.core.delivery.backoff import Backoff, Waits
from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import load as load_credentials
from agent.mqtt.fault import LinkFault
from agent.mqtt.messages import Arrived, ConnectOptions, Outgoing
from agent.mqtt.session import Acknowledged, Session, SessionEvent, Up
from agent.ward import register, settings
from agent.ward.authority.findings import CertificateEnds, FindingsFigures
from agent.ward.citytopics import CityTopics, WardTopics
from agent.ward.database import while_there
from agent.ward.device_cache import DeviceCache
from agent.ward.metrics import STATES, IngestMetrics
from agent.ward.presence import presence
from agent.ward.quota import Quota
from agent.ward.reception import Reception
from agent.ward.register import DeviceRecord, SeqGap
from agent.ward.service import run

NAME = "ingest"
SHARE = "ingest"                # the group of ingests that share a city's events
SESSION_S = 7 * 86_400          # how long the broker keeps our events
SHARED_SESSION_S = 0            # not at all where another ingest takes them
STATE_LIVES_S, STATE_EVERY_S = 300, 100.0
RECEIPT_LIVES_S = 3600
ECHO_LIVES_S = 60
REPLAY_LIVES_S = 300            # a device that is away is asked again when it is back
REPLAYS_MAX = 20                # gaps in a turn,
REPLAYS_OF_ONE_MAX = 2          # and of one device: it accepts 30 commands a minute
WILL_DELAY_S = 30               # a restart is no outage
TICK_S = 0.25                   # also the delay of a stop
TIDY_EVERY_S = 3600.0
PRUNE_N, PRUNE_EVERY_S = 200, 1.0       # some ms at a time, and several times as fast as events come
PRUNE_FIRST_S = 60.0        # a start has enough else to do
DAY_MS = 86_400_000
MB = 1_000_000
FAREWELL_S = 1.5

_log = logging.getLogger(__name__)
UNHEARD_MAX = 3


class Echo:
    """Messages to itself that show whether the broker still delivers. Pure.

    A flood of messages fills the broker's queue, and mosquitto then drops acknowledged ones, too. It waits for their
    acknowledgement and never sends them again on that connection; when they fill the window, nothing more comes, while
    pings are answered. A new connection gets all of them.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._due_mono_s = float("-inf")
        self._unheard_n = 0
        self._works = False         # else the broker's list of rights has no echo, and there is nothing to conclude

    def begin(self) -> None:
        self._unheard_n = 0

    def is_due(self, now_mono_s: float) -> bool:
        return now_mono_s >= self._due_mono_s

    def sent(self, now_mono_s: float) -> None:
        self._due_mono_s = now_mono_s + self._every_s
        self._unheard_n += 1

    def received(self) -> None:
        """Notes an acknowledged message of any sender: while the broker works through a queue, ours comes last."""
        self._unheard_n, self._works = 0, True

    @property
    def is_lost(self) -> bool:
        return self._works and self._unheard_n >= UNHEARD_MAX


@dataclass(frozen=True, slots=True)
class IngestTempo:
    waits: Waits = field(default_factory=lambda: Waits(lost_s=5.0, step_s=2.0, longest_s=10.0, hopeless_s=(30.0, 60.0)))
    database_s: float = 5.0     # between two tries to open it
    look_s: float = 5.0         # between two checks of presence and gaps
    echo_s: float = 5.0         # between two echoes


class Ingest:
    def __init__(self, own: settings.Settings, cache: DeviceCache, clock: Clock, metrics: IngestMetrics,
                 tempo: IngestTempo, quota: Quota, draw: Callable[[], float] = random.random) -> None:
        self._own, self._clock, self._metrics, self._cache, self._quota = own, clock, metrics, cache, quota
        self._look_s, self._echo = tempo.look_s, Echo(tempo.echo_s)
        self._topics = topics_of(own.ward)
        self._reception = Reception(self._topics, cache, clock, metrics, quota)
        self._session = Session(self._connect, clock, Backoff(tempo.waits), draw)
        self._state_mono_s = self._look_mono_s = self._tidy_mono_s = float("-inf")
        self._prune_mono_s = clock.mono_s() + PRUNE_FIRST_S

    def run(self, stop: Stop) -> None:
        """Raises DatabaseFault."""
        try:
            while not stop.is_set():
                self._turn()
            self._reception.commit()
        finally:
            self._leave()

    def _turn(self) -> None:
        for each in self._session.wait(min(TICK_S, self._reception.wait_s())):
            self._hear(each)
        if self._reception.wait_s() <= 0:
            self._reception.commit()
        now_mono_s = self._clock.mono_s()
        self._metrics.connected.set(self._session.up)
        if self._session.up:
            self._send_receipts()
            if now_mono_s >= self._state_mono_s:
                self._say()
            self._listen(now_mono_s)
        if now_mono_s >= self._look_mono_s:
            self._look_mono_s = now_mono_s + self._look_s
            notify("WATCHDOG=1")
            self._look()
        if now_mono_s >= self._tidy_mono_s:
            self._tidy_mono_s = now_mono_s + TIDY_EVERY_S
            now_ms = self._clock.now().wall_ms
            self._cache.forget_history(now_ms - self._own.database.health_days * DAY_MS)
            self._metrics.ending.set(register.ending_n(self._cache.devices.values(), now_ms))
        if now_mono_s >= self._prune_mono_s and not self._cache.waiting_n:
            self._prune(now_mono_s)

    def _hear(self, each: SessionEvent) -> None:
        match each:
            case Up():
                self._state_mono_s = float("-inf")
                self._echo.begin()
            case Arrived():
                if each.qos:
                    self._echo.received()
                if each.topic != self._topics.echo:
                    self._reception.receive(each)
            case Acknowledged(tag, reason) if reason >= 0x80:
                _log.warning("the broker refused our message on %s (reason 0x%02x): see its ACL", tag, reason)

    def _listen(self, now_mono_s: float) -> None:
        """Sends an echo; if echoes get lost, connects again."""
        if self._topics.echo is None or not self._echo.is_due(now_mono_s):
            return
        if self._echo.is_lost:
            self._session.renew(LinkFault("deaf", "the broker has dropped what it owed us, as in a flood of messages: "
                                          "a new connection brings it", where=self._own.ward.host))
        elif self._session.room_n:
            self._session.post(Outgoing(self._topics.echo, b"{}", expiry_s=ECHO_LIVES_S))
            self._echo.sent(now_mono_s)

    def _send_receipts(self) -> None:
        """A ward's receipts are retained: a card that was set back reads the highest seq first."""
        stays = self._topics.state is not None
        while self._session.room_n > 0 and (owed := self._reception.receipts.next()):
            dev, ack = owed
            topic, known = self._topics.receipt(dev), self._cache.devices.get(dev)
            payload = wire.encode(replace(ack, top=known.reach.top if known else 0))
            expiry_s = None if stays else RECEIPT_LIVES_S
            self._session.publish(Outgoing(topic, payload, retain=stays, expiry_s=expiry_s), topic)
            self._metrics.receipts.inc()

    def _prune(self, now_mono_s: float) -> None:
        """Only by a clock that NTP has set: by one that has jumped ahead, all events would be old."""
        days, now, pruned_n = self._own.database.event_days, self._clock.now(), 0
        if days and now.clock == "ntp":
            pruned_n = self._cache.forget_events(now.wall_ms - days * DAY_MS, PRUNE_N)
        elif days:
            _log.info("old events are not deleted: this machine's clock is not set by NTP; see timedatectl")
        self._metrics.pruned.inc(pruned_n)
        self._prune_mono_s = now_mono_s + (PRUNE_EVERY_S if pruned_n else TIDY_EVERY_S)

    def _say(self) -> None:
        self._state_mono_s = self._clock.mono_s() + STATE_EVERY_S
        if state := self._state(online=True, expiry_s=STATE_LIVES_S):
            self._session.post(state)

    def _state(self, online: bool, expiry_s: int | None = None) -> Outgoing | None:
        """Returns None in a city: one of several ingests can't speak for all, and forwarders do not need it."""
        if (topic := self._topics.state) is None:
            return None
        return Outgoing(topic, wire.encode(wire.WardState(online=online)), retain=True, expiry_s=expiry_s)

    def _look(self) -> None:
        now_ms = self._clock.now().wall_ms
        devices = self._cache.devices.values()
        maintained = self._maintained()
        counted = Counter(presence(device.standing, now_ms, device.dev in maintained).state for device in devices)
        for state in STATES:
            self._metrics.devices.labels(state).set(counted[state])
        self._metrics.missing.set(sum(gap.last - gap.first + 1 for device in devices for gap in device.reach.gaps))
        now_mono_s = self._clock.mono_s()
        self._metrics.over_share.set(self._quota.over_n(now_mono_s))
        self._metrics.cloned.set(sum(device.turns.is_of_two(now_ms) for device in devices))
        if self._session.up:
            for dev, command in replays_due(self._cache, self._topics, now_ms,
                                            lambda dev: self._quota.is_over(dev, now_mono_s)):
                _log.info("%s: events are missing; asked for them again", dev)
                self._session.post(command)
                self._metrics.replays.inc()

    def _maintained(self) -> frozenset[str]:
        """Devices under maintenance; empty if their list can't be read, because that must not stop an ingest."""
        try:
            return settings.read_roster(self._own.ward.devices_file).maintained
        except ConfigError as error:
            _log.warning("%s", error)
            return frozenset()

    def _connect(self) -> Connection:
        ward = self._own.ward
        credentials = load_credentials(ward, ward.name)
        return Connection(ward.host, ward.port, credentials, self._topics.subscriptions, ConnectOptions(
            ward.keepalive_s, self._state(online=False), WILL_DELAY_S, SHARED_SESSION_S if ward.shared else SESSION_S))

    def _leave(self) -> None:
        """Sends the owed receipts and the state "offline", and waits a little until the broker has them."""
        if self._session.up:
            self._send_receipts()
        self._session.leave(self._state(online=False), FAREWELL_S, self._hear)
        self._metrics.connected.set(0)


def replays_due(cache: DeviceCache, topics: WardTopics | CityTopics, now_ms: int,
                is_over: Callable[[str], bool] = lambda dev: False) -> Iterator[tuple[str, Outgoing]]:
    """Yields `replay` commands. A device that `is_over` its share sends what is missing by itself.

    Raises DatabaseFault.
    """
    wanted: dict[str, list[SeqGap]] = {}
    left_n = REPLAYS_MAX
    for device in cache.devices.values():
        gaps = device.reach.due(now_ms)[:min(left_n, REPLAYS_OF_ONE_MAX)]
        if gaps and not is_over(device.dev) and _answers(device, topics, now_ms):
            wanted[device.dev] = gaps
            left_n -= len(gaps)
    for dev, missing in cache.ask(wanted, now_ms).items() if wanted else ():
        for gap in missing:
            yield dev, _replay(topics.command(dev, "replay"), gap, now_ms)


def _answers(device: DeviceRecord, topics: WardTopics | CityTopics, now_ms: int) -> bool:
    """Whether an answer can come: in a ward from the device, in a city from the ward's forwarder."""
    return isinstance(topics, CityTopics) or presence(device.standing, now_ms).state != "offline"


def _replay(topic: str, gap: SeqGap, now_ms: int) -> Outgoing:
    command = wire.Command(id=ulid.make(now_ms, os.urandom(ulid.CHANCE_B)), iat=now_ms,
                           exp=now_ms + REPLAY_LIVES_S * 1000, by="ingest", args={"from": gap.first, "to": gap.last})
    return Outgoing(topic, msgspec.json.encode(plain(command)), expiry_s=REPLAY_LIVES_S)


def topics_of(ward: settings.Ward) -> WardTopics | CityTopics:
    if not ward.wards:
        return WardTopics(ward.ward)
    return CityTopics(() if settings.ALL in ward.wards else tuple(ward.wards), SHARE if ward.shared else "")


def serve(own: settings.Settings, clock: Clock, stop: Stop, tempo: IngestTempo | None = None) -> None:
    """Raises CannotServe."""
    tempo, metrics = tempo or IngestTempo(), IngestMetrics()
    quota = Quota(own.database.device_mb * MB, bounded=not own.ward.wards)
    if own.metrics.enabled:
        metrics.registry.register(CertificateEnds(own.ward.cert, own.authority.ca))
        metrics.registry.register(FindingsFigures(Path(own.authority.folder)))
        metrics.serve(own.metrics.listen, own.metrics.port, "[metrics] listen and port")

    def stay(engine: sql.Engine) -> None:
        cache = DeviceCache(engine, bool(own.city.host), own.database.devices_n)
        metrics.database_up.set(1)
        Ingest(own, cache, clock, metrics, tempo, quota=quota).run(stop)
    while_there(own.database.url, stop, stay, lambda: metrics.database_up.set(0), tempo.database_s)


def main(config: Path, tempo: IngestTempo | None = None) -> int:
    return run(NAME, config, lambda own, clock, stop: serve(own, clock, stop, tempo))
