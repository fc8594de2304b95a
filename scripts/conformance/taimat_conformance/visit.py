"""A visit to the ward's broker that records all messages, heard and said. A broken connection ends it."""
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.delivery.backoff import Backoff, Waits
from agent.host.clock import Clock
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import BrokerAccount, load
from agent.mqtt.fault import DEVICE, Audience, LinkFault
from agent.mqtt.messages import Arrived, ConnectOptions, Outgoing
from agent.mqtt.session import Acknowledged, Down, Session, SessionEvent
from agent.ward import settings
from taimat_conformance.transcript import HeardMessage, SaidMessage, Transcript

KEEPALIVE_S = 30
GREETING_S = 40.0               # for a slow broker
TAKEN_S = 20.0
STORED_S = 1.0                  # retained messages come within this
REFUSED_FROM = 0x80             # PUBACK reasons
WAITS = Waits(start_s=0, lost_s=2.0, step_s=2.0, longest_s=10.0, hopeless_s=(15.0, 30.0))


@dataclass(frozen=True, slots=True)
class VisitAccount:
    """An account at the broker under test."""

    tls: bool
    ca: str
    cert: str
    key: str
    user: str = ""
    password_file: str = ""


class VisitFault(Exception):
    """The visit can't begin or go on; the text is one line with the remedy."""


@dataclass(slots=True)
class VisitRecord:
    """The record of a visit."""

    clock: Clock
    began_mono_s: float = field(init=False)
    began_ms: int = field(init=False)
    heard: list[HeardMessage] = field(default_factory=list)
    said: list[SaidMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin now."""
        self.began_mono_s, self.began_ms = self.clock.mono_s(), self.clock.now().wall_ms

    @property
    def at_s(self) -> float:
        """Seconds since it began."""
        return self.clock.mono_s() - self.began_mono_s

    def look(self, ward: str, dev: str) -> Transcript:
        """The transcript about a device so far."""
        return Transcript(ward, dev, tuple(self.heard), tuple(self.said), self.at_s, self.began_ms)

    def note(self, what: str, message: Outgoing) -> None:
        """Record a message of ours, said now."""
        self.said.append(SaidMessage(self.at_s, what, message.topic, message.payload, message.correlation))


class Visit:
    """A visit, as a context manager."""

    def __init__(self, ward: settings.Ward, account: BrokerAccount, name: str, listen: tuple[str, ...],
                 record: VisitRecord, will: Outgoing | None = None, audience: Audience = DEVICE) -> None:
        """Connect as `account`, or as `name` where that has no certificate, and subscribe to `listen`.

        Faults are told to `audience`. Raises VisitFault.
        """
        self._ward, self._account, self._will = ward, account, will
        self._listening, self.record = listen, record
        self._clock = record.clock
        self.name, self._up_s = client_id(account, name, audience), float("inf")
        self._session = Session(self._connect, self._clock, Backoff(WAITS), random.random, audience)
        self._up_s = self._greet()

    def say(self, what: str, message: Outgoing) -> None:
        """Publish a message as soon as the broker has room. Raises VisitFault; for a refusal, later."""
        if not self.listen(lambda: self._session.room_n > 0, TAKEN_S):
            raise VisitFault(f"{self._where}: the broker takes no more; is it overloaded? Try again")
        self.record.note(what, message)
        self._session.publish(message, message.topic)

    def listen(self, until: Callable[[], bool], within_s: float) -> bool:
        """Record what comes until a condition holds; returns False after `within_s`. Raises VisitFault."""
        deadline_s = self.record.at_s + within_s
        while not until():
            left_s = deadline_s - self.record.at_s
            if left_s <= 0:
                return False
            self._turn(left_s)
        return True

    def close(self) -> None:
        """Leave the broker in order."""
        self._session.close()

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _where(self) -> str:
        return f"{self._ward.host}:{self._ward.port}"

    def _greet(self) -> float:
        deadline_s = self.record.at_s + GREETING_S
        while not self._session.up:
            self._turn(deadline_s - self.record.at_s)
            if self._session.fault:
                raise VisitFault(str(self._session.fault))
            if self.record.at_s >= deadline_s:
                self.close()
                raise VisitFault(f"{self._where}: no answer from the broker; see [ward] host and port")
        return self.record.at_s

    def _connect(self) -> Connection:
        """Prepare the connection. The broker keeps no session: no message from before comes late."""
        return Connection(self._ward.host, self._ward.port, load(self._account, self.name), self._listening,
                          ConnectOptions(KEEPALIVE_S, self._will, session_s=0))

    def _turn(self, within_s: float) -> None:
        for each in self._session.wait(within_s):
            self._note(each)

    def _note(self, told: SessionEvent) -> None:
        match told:
            case Arrived():
                now_s = self.record.at_s
                self.record.heard.append(HeardMessage(
                    now_s, told.topic, told.payload, told.qos, told.retained, told.expiry_s, told.content_type,
                    told.correlation, stored=told.retained and now_s < self._up_s + STORED_S))
            case Acknowledged(tag, reason) if reason >= REFUSED_FROM:
                raise VisitFault(f"{tag}: the broker refuses it (reason 0x{reason:02x}) to "
                                 f"{self.name}: see its ACL")
            case Down(fault):
                raise VisitFault(f"{fault}; what was seen is not whole: try again")


def client_id(account: BrokerAccount, name: str, audience: Audience) -> str:
    """The client id: the certificate's common name, or `name` without one. Raises VisitFault."""
    try:
        return load(account, name).dev
    except LinkFault as fault:
        raise VisitFault(str(fault.to(audience))) from None
