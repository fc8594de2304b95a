"""A visit to the ward's broker as `ops` or `desk`: sends orders, and waits for the devices' answers.

A person waits for it, so a fault ends it with one line. Only while it waits for answers does it reconnect by itself;
the broker keeps the messages in between.
"""
import random
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from agent.core.delivery.backoff import Backoff, Waits
from agent.host.clock import Clock
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import load
from agent.mqtt.fault import WARD_DESK, WARD_PAGE
from agent.mqtt.messages import Arrived, ConnectOptions, Outgoing
from agent.mqtt.session import Acknowledged, Down, Session, SessionEvent
from agent.ward.settings import Settings

OrdersBy = Literal["ops", "desk"]   # a second client of a name replaces the first one at the broker
NAME: OrdersBy = "ops"          # answers go to rsp/ops for both
KEEPALIVE_S = 30
SESSION_S = 300                 # how long the broker keeps our answers
GREETING_S = 40.0               # for a slow address and a slow broker
TAKEN_S = 20.0
NOBODY_FROM = 0x80              # PUBACK reasons that are refusals
WAITS = Waits(start_s=0, lost_s=2.0, step_s=2.0, longest_s=10.0, hopeless_s=(15.0, 30.0))


class OpsFault(Exception):
    """An order did not get through; the text is one line with the remedy."""


class OpsLink:
    def __init__(self, own: Settings, listen: Sequence[str], clock: Clock, name: OrdersBy = NAME) -> None:
        """Connects as `name`, and subscribes to the filters in `listen`, at least one. Raises OpsFault."""
        self._name, self._ward, self._clock = name, own.ward, clock
        given = own.ops if name == "ops" else own.desk
        # TLS and CA are the ingest's.
        self._account = msgspec.structs.replace(self._ward, cert=given.cert, key=given.key, user=given.user,
                                                password_file=given.password_file)
        self._listening = tuple(listen)
        self._arrived: deque[Arrived] = deque()
        self._session = Session(self._connect, clock, Backoff(WAITS), random.random,
                                WARD_DESK if name == "ops" else WARD_PAGE)
        self._greet()

    def send(self, message: Outgoing) -> bool:
        """Publishes a message; returns whether the broker has a subscriber for it. Raises OpsFault."""
        self._greet()
        self._session.publish(message, message.topic)
        deadline_mono_s = self._clock.mono_s() + TAKEN_S
        while self._clock.mono_s() < deadline_mono_s:
            for each in self._wait(deadline_mono_s):
                match each:
                    case Acknowledged(tag, reason) if tag == message.topic:
                        return _taken(message.topic, reason)
                    case Down(fault):
                        raise OpsFault(f"{fault}; the order may or may not have gone out: give it again")
        raise OpsFault(f"{self._where}: the broker did not take the order within {TAKEN_S:.0f} s; give it again")

    def answers(self, patience_s: float) -> Iterator[Arrived]:
        """One may come twice, and a retained one may be old. Raises OpsFault if another has taken our name."""
        deadline_mono_s = self._clock.mono_s() + patience_s
        while True:
            while self._arrived:
                yield self._arrived.popleft()
            if self._clock.mono_s() >= deadline_mono_s:
                return
            if any(isinstance(each, Down) and each.fault.code == "taken_over" for each in self._wait(deadline_mono_s)):
                raise OpsFault(f"{self._where}: another command has connected as {self._name}, and gets the answers "
                               "now: one at a time; what went out stands")

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> "OpsLink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _where(self) -> str:
        return f"{self._ward.host}:{self._ward.port}"

    def _greet(self) -> None:
        deadline_mono_s = self._clock.mono_s() + GREETING_S
        while not self._session.up:
            self._wait(deadline_mono_s)
            if self._session.fault:
                raise OpsFault(str(self._session.fault))
            if self._clock.mono_s() >= deadline_mono_s:
                self.close()
                raise OpsFault(f"{self._where}: no answer from the broker; see [ward] host and port")

    def _connect(self) -> Connection:
        """Prepare a connection. Raises LinkFault."""
        return Connection(self._ward.host, self._ward.port, load(self._account, self._name), self._listening,
                          ConnectOptions(KEEPALIVE_S, session_s=SESSION_S))

    def _wait(self, until_mono_s: float) -> list[SessionEvent]:
        told = self._session.wait(until_mono_s - self._clock.mono_s())
        self._arrived.extend(each for each in told if isinstance(each, Arrived))
        return told


def _taken(topic: str, reason: int) -> bool:
    if reason >= NOBODY_FROM:
        raise OpsFault(f"{topic}: the broker refuses it (reason 0x{reason:02x}): its ACL lets only ops and "
                       "desk give orders; see [ops] cert, [desk] cert")
    return reason == 0
