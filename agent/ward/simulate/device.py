"""One simulated device: session, waits and outbox are a real one's; cameras and card are made up."""
import random
from dataclasses import dataclass

from agent.core.contract import wire
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.outbox import OutboxPace
from agent.host.clock import Clock
from agent.mqtt.connection import Arrived, Connection, Outgoing
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.mqtt.session import Acknowledged, Down, Session, Told, Up
from agent.ward.simulate import payloads
from agent.ward.simulate.outbox import Outbox
from agent.ward.simulate.plan import HOST, WARD
from agent.ward.simulate.tally import Tally

KEEPALIVE_S, WILL_DELAY_S = 60, 30          # as a device's default settings and its link have them
STATUS_LIVES_S, STATUS_EVERY_S = 1200, 600.0
AWAY_TICK_S = 0.5                           # thousands in one thread can't look for their dials as often as one alone


@dataclass(frozen=True, slots=True)
class Papers:
    """A device's [ward] settings."""

    ca: str
    cert: str
    key: str
    tls: bool = True
    user: str = ""
    password_file: str = ""


class Device:
    """Lives in somebody's loop, which calls `turn` when its socket has something, or after `wait_s`."""

    def __init__(self, dev: str, papers: Papers, port: int, clock: Clock, waits: Waits, pace: OutboxPace,
                 health_every_s: int, tally: Tally) -> None:
        """It connects at a random moment of the first `waits.start_s`."""
        self._papers, self._port, self._clock, self._every_s, self._tally = papers, port, clock, health_every_s, tally
        self._topics = wire.Topics(WARD, dev)
        self._session = Session(self._connect, clock, Backoff(waits), random.random)
        self.outbox = Outbox(self._topics, pace, tally)
        self.up_mono_s: float | None = None     # since when it is there; None: it is not
        self.silent = False                     # no health: what is on its way can be counted
        self._health_mono_s = self._status_mono_s = float("inf")
        self._conn = self._health_seq = self._motions_n = 0
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
        health_s = float("inf") if self.silent else self._health_mono_s - now_mono_s
        return max(0.0, min(self._session.wait_s(), health_s, self.outbox.wait_s(now_mono_s, self._session.room_n)))

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
            self._speak()

    def move(self) -> None:
        """Somebody walks past a camera."""
        now = self._clock.now()
        self._motions_n += 1
        self.outbox.append("motion", payloads.CAMERAS[0], now, payloads.motion(now, self._motions_n))
        if self._session.up:
            self.outbox.turn(self._session, now)

    def be_silent(self, silent: bool) -> None:
        """No health, or health again: at a moment of its own, as everybody has one."""
        self.silent = silent
        self._health_mono_s = self._clock.mono_s() + self._every_s * random.random()

    def count_anew(self, tally: Tally) -> None:
        """Count there from here on."""
        self._tally = self.outbox.tally = tally

    def close(self) -> None:
        """Go, in order."""
        self._session.close()

    def _connect(self) -> Connection:
        credentials = load(self._papers, self.dev)
        self._conn += 1
        self._tally.dials_n += 1
        will = Outgoing(self._topics.status, payloads.status(self._clock.now(), self._conn, online=False), retain=True)
        return Connection(HOST, self._port, credentials, KEEPALIVE_S, self._topics, will, WILL_DELAY_S,
                          confirm_later=True)

    def _hear(self, told: Told) -> None:
        match told:
            case Up():
                now = self._clock.now()
                birth = payloads.birth(now, self._conn, self.outbox.last_seq + 1, len(self.outbox))
                self._session.post(Outgoing(self._topics.birth, birth, retain=True))
                self._health_mono_s = self._status_mono_s = float("-inf")
            case Down():
                self.up_mono_s = None
                self.outbox.lost(self._clock.mono_s())
            case Acknowledged(int(seq)):
                self.outbox.taken(seq)
            case Acknowledged(topic, reason) if topic == self._topics.birth and reason < 0x80:
                self.up_mono_s = self._clock.mono_s()
            case Arrived():
                self._take(told)

    def _take(self, message: Arrived) -> None:
        if message.topic == self._topics.ack:
            self.outbox.receipt(wire.decode(wire.Ack, message.payload), self._clock.mono_s())
        elif message.topic == self._topics.ward_state:
            online = wire.decode(wire.WardState, message.payload).online
            if online and not self._ingest_online:
                self.outbox.hurry(self._clock.mono_s())
            self._ingest_online = online
        message.confirm()

    def _speak(self) -> None:
        """What goes out by itself."""
        now, session = self._clock.now(), self._session
        now_mono_s = now.mono_ms / 1000
        if now_mono_s >= self._status_mono_s:
            self._status_mono_s = now_mono_s + STATUS_EVERY_S
            online = payloads.status(now, self._conn, online=True)
            session.post(Outgoing(self._topics.status, online, retain=True, expiry_s=STATUS_LIVES_S))
        if now_mono_s >= self._health_mono_s and not self.silent:
            self._health_mono_s = now_mono_s + self._every_s
            self._health_seq += 1
            report = payloads.health(now, self._health_seq, self._every_s, len(self.outbox),
                                     max(0, session.connects_n - 1))
            session.post(Outgoing(self._topics.health, report, qos=0, retain=True, expiry_s=3 * self._every_s))
            self._tally.health_n += 1
        self.outbox.turn(session, now)
