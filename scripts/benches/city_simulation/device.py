"""A simulated device: session, waits and outbox follow a real one's rules; cameras and card are made up."""
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.outbox import OutboxPace
from agent.host.clock import Clock
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.mqtt.messages import Arrived, ConnectOptions
from agent.mqtt.session import Acknowledged, Down, Session, SessionEvent, Up
from scripts.benches.city_simulation import payloads
from scripts.benches.city_simulation.outbox import Outbox
from scripts.benches.city_simulation.plan import WARD
from scripts.benches.city_simulation.tally import DeviceTally

KEEPALIVE_S, WILL_DELAY_S = 60, 30          # as a device's default settings and its link have them
AWAY_TICK_S = 0.5                           # with thousands in one thread, a dial is looked at less often


@dataclass(frozen=True, slots=True)
class Papers:
    """A device's [ward] settings."""

    ca: str
    cert: str
    key: str
    tls: bool = True
    user: str = ""
    password_file: str = ""


class SimulatedDevice:
    """A device in a loop, which calls `turn` when the device's socket has something, or after `wait_s`."""

    def __init__(self, dev: str, papers: Papers, hosts: Sequence[str], port: int, clock: Clock, waits: Waits,
                 pace: OutboxPace, health_every_s: int, tally: DeviceTally) -> None:
        """It connects at a random moment of the first `waits.start_s`, to one of the hosts."""
        self._papers, self._port, self._clock, self._tally = papers, port, clock, tally
        first = random.randrange(len(hosts))
        self._hosts = itertools.cycle((*hosts[first:], *hosts[:first]))
        self._topics = wire.Topics(WARD, dev)
        self._session = Session(self._connect, clock, Backoff(waits), random.random)
        self.reports = payloads.Reports(self._topics, clock, health_every_s)
        self.outbox = Outbox(self._topics, pace, tally)
        self.up_mono_s: float | None = None     # since when it has been there; None while it is away
        self._motions_n = 0
        self._ingest_online = True
        self._fault: LinkFault | None = None

    @property
    def dev(self) -> str:
        """Its id."""
        return self._topics.dev

    @property
    def session(self) -> Session:
        """Its connection, for the loop to wait on."""
        return self._session

    def wait_s(self) -> float:
        """The longest time until `turn` must be called."""
        if self._session.socket() is None:
            return max(AWAY_TICK_S, self._session.wait_s())
        now_mono_s = self._clock.mono_s()
        return max(0.0, min(self._session.wait_s(), self.reports.wait_s(now_mono_s),
                            self.outbox.wait_s(now_mono_s, self._session.room_n)))

    def turn(self, readable: bool) -> None:
        """Do what there is to do without blocking."""
        session = self._session
        for told in session.turn(readable or session.holds_more()):
            self._hear(told)
        if session.fault is not self._fault:
            self._fault = session.fault
            if self._fault:
                self._tally.faults[self._fault.code] += 1
        if session.up:
            now = self._clock.now()
            self._tally.health_n += self.reports.send_due(session, now, len(self.outbox))
            self.outbox.turn(session, now)

    def move(self) -> None:
        """A person walks past a camera: an event."""
        now = self._clock.now()
        self._motions_n += 1
        self.outbox.append("motion", payloads.CAMERAS[0], now, payloads.motion(now, self._motions_n))
        if self._session.up:
            self.outbox.turn(self._session, now)

    def count_anew(self, tally: DeviceTally) -> None:
        """Count in this tally from now on."""
        self._tally = self.outbox.tally = tally

    def close(self) -> None:
        """Leave the broker in order."""
        self._session.close()

    def _connect(self) -> Connection:
        credentials = load(self._papers, self.dev)
        self._tally.dials_n += 1
        return Connection(next(self._hosts), self._port, credentials, self._topics.subscriptions,
                          ConnectOptions(KEEPALIVE_S, self.reports.will(), WILL_DELAY_S, confirm_later=True))

    def _hear(self, told: SessionEvent) -> None:
        match told:
            case Up():
                self.reports.come_up(self._session, self.outbox.last_seq + 1, len(self.outbox))
            case Down():
                self.up_mono_s = None
                self.outbox.lost(self._clock.mono_s())
            case Acknowledged(int(seq)):
                self.outbox.taken(seq)
            case Acknowledged(topic, reason) if topic == self._topics.birth and reason < 0x80:
                self.up_mono_s = self._clock.mono_s()
            case Arrived():
                self._read(told)

    def _read(self, message: Arrived) -> None:
        if message.topic == self._topics.ack:
            self.outbox.receipt(wire.decode(wire.Ack, message.payload), self._clock.mono_s())
        elif message.topic == self._topics.ward_state:
            online = wire.decode(wire.WardState, message.payload).online
            if online and not self._ingest_online:
                self.outbox.hurry(self._clock.mono_s())
            self._ingest_online = online
        message.confirm()
