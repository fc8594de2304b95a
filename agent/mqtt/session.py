"""Keeps a session with a broker: dials, waits, watches, reports faults, and publishes.

Only data from the broker proves that the connection lives; the library's opinion does not count.
"""
import logging
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.delivery.backoff import HOPELESS, Backoff
from agent.host.clock import Clock
from agent.mqtt.fault import DEVICE, Audience, LinkFault, of_reason, of_text
from agent.mqtt.messages import (
    Accepted,
    Acknowledged,
    Arrived,
    ConnectRefused,
    Ended,
    Happening,
    Outgoing,
    Subscribed,
    Tag,
)

if TYPE_CHECKING:
    from agent.mqtt.connection import Connection

ANSWER_S = 15.0             # for CONNACK and for SUBACK
DIALLING_TICK_S = 0.1
TICK_S = 5.0
TICKS_A_KEEPALIVE = 4       # at least: the library only pings when it is called
POSTED_MAX = 64
FAREWELL, FAREWELL_TICK_S = "farewell", 0.1
SILENCES = 1.5              # so many keepalives without data from the broker end the connection

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Up:
    """The session is connected and subscribed."""


@dataclass(frozen=True, slots=True)
class Down:
    """A connection that was up has ended."""

    fault: LinkFault


SessionEvent = Up | Down | Acknowledged | Arrived


class Dial(threading.Thread):
    """One attempt to connect, on its own thread, because nothing interrupts the resolver."""

    def __init__(self, connection: "Connection") -> None:
        super().__init__(name="dial", daemon=True)
        self.connection = connection
        self.fault: LinkFault | None = None
        self.start()

    def run(self) -> None:
        """Dials; `fault` holds the result."""
        try:
            self.connection.dial()
        except LinkFault as fault:
            self.fault = fault


class Session:
    """Keeps one connection up. The owner calls `turn` when `socket` is readable, or after `wait_s`."""

    def __init__(self, connect: Callable[[], "Connection"], clock: Clock, backoff: Backoff,
                 draw: Callable[[], float], audience: Audience = DEVICE) -> None:
        """`connect` makes a connection or raises LinkFault; `draw` is random in [0, 1); `audience` reads faults."""
        self._connect, self._clock, self._draw, self._audience = connect, clock, draw, audience
        self._backoff, wait_s = backoff.start(draw())
        self._due_mono_s = clock.mono_s() + wait_s
        self._dial: Dial | None = None
        self.connection: Connection | None = None
        self.up = False
        self._since_mono_s = self._heard_mono_s = 0.0
        self._posted: deque[tuple[Outgoing, Tag]] = deque()
        self.fault: LinkFault | None = None
        self.connects_n = self.dropped_n = 0

    def socket(self) -> Any:
        return self.connection.socket() if self.connection else None

    def wants_write(self) -> bool:
        return self.connection is not None and self.connection.wants_write()

    def readers(self) -> list[Any]:
        """Returns what `select` waits on for reading."""
        return [self.socket()] if self.socket() else []

    def writers(self) -> list[Any]:
        """Returns what `select` waits on for writing, if data waits."""
        return self.readers() if self.wants_write() else []

    def holds_more(self) -> bool:
        return self.connection is not None and self.connection.holds_more()

    def wait_s(self) -> float:
        """Returns the longest time until `turn` must be called, in seconds."""
        if self.connection:
            tick_s = min(TICK_S, self.connection.keepalive_s / TICKS_A_KEEPALIVE)
            return 0.0 if self.connection.holds_more() else tick_s
        return DIALLING_TICK_S if self._dial else max(0.0, min(TICK_S, self._due_mono_s - self._clock.mono_s()))

    def wait(self, timeout_s: float, others: Sequence[Any] = ()) -> list[SessionEvent]:
        """Sleeps up to `timeout_s`, until data comes here or at `others`, or work is due; then works as `turn` does."""
        timeout_s = max(0.0, min(timeout_s, self.wait_s()))
        readable, _, _ = select.select([*self.readers(), *others], self.writers(), [], timeout_s)
        return self.turn(readable=self.socket() in readable or self.holds_more())

    def turn(self, readable: bool) -> list[SessionEvent]:
        """Does all work without blocking; returns what the owner must know."""
        now_mono_s = self._clock.mono_s()
        if self.connection:
            return self._drive(self.connection, readable, now_mono_s)
        if self._dial:
            self._check_dial(self._dial, now_mono_s)
        elif now_mono_s >= self._due_mono_s:
            self._start_dial(now_mono_s)
        return []

    @property
    def room_n(self) -> int:
        """Returns how many messages of QoS 1 may be published now."""
        return max(0, self.connection.room_n - len(self._posted)) if self.connection and self.up else 0

    def fits(self, message: Outgoing) -> bool:
        return self.connection is None or self.connection.fits(message)

    def publish(self, message: Outgoing, tag: Tag) -> None:
        """Publishes now; the caller has checked that there is room and that it fits."""
        assert self.connection is not None
        self.connection.publish(message, tag)

    def post(self, message: Outgoing, tag: str = "") -> None:
        """Publishes when the broker has room; dropped and counted if this connection cannot."""
        full = len(self._posted) >= POSTED_MAX
        if self.connection is None or not self.up or full or not self.connection.fits(message):
            self.dropped_n += 1
            return
        self._posted.append((message, tag or message.topic))
        self._flush(self.connection)

    def renew(self, fault: LinkFault) -> None:
        """Ends the connection because of the owner's `fault`, and makes another."""
        if self.connection and self.up:
            self._end(fault, self._clock.mono_s())

    def leave(self, farewell: Outgoing | None, within_s: float,
              hear: Callable[[SessionEvent], object] = lambda _: None) -> None:
        """Publishes `farewell`, waits until the broker has it, and closes; `hear` gets what comes meanwhile."""
        deadline_mono_s, confirmed = self._clock.mono_s() + within_s, farewell is None
        if farewell and self.up:
            self.post(farewell, FAREWELL)
        while not confirmed and self.up and self._clock.mono_s() < deadline_mono_s:
            for event in self.wait(FAREWELL_TICK_S):
                confirmed = confirmed or (isinstance(event, Acknowledged) and event.tag == FAREWELL)
                hear(event)
        self.close()

    def close(self) -> None:
        """Sends DISCONNECT, so that the broker does not publish the will, and drops the connection."""
        if self.connection:
            self.connection.close()
            self.connection.turn(readable=False)
        self._drop()

    def _start_dial(self, now_mono_s: float) -> None:
        try:
            self._dial = Dial(self._connect())
        except LinkFault as fault:
            self._failed(fault, now_mono_s)

    def _check_dial(self, dial: Dial, now_mono_s: float) -> None:
        if dial.is_alive():
            return
        self._dial = None
        if dial.fault:
            self._failed(dial.fault, now_mono_s)
        else:
            self.connection = dial.connection
            self._since_mono_s = self._heard_mono_s = now_mono_s

    def _drive(self, connection: "Connection", readable: bool, now_mono_s: float) -> list[SessionEvent]:
        if readable:
            self._heard_mono_s = now_mono_s
        news: list[SessionEvent] = []
        for happening in connection.turn(readable):
            news += self._handle(connection, happening, now_mono_s)
        if self.connection and (fault := self._silence(connection, now_mono_s)):
            news += self._end(fault, now_mono_s)
        if self.connection and self.up:
            self._flush(connection)
        return news

    def _handle(self, connection: "Connection", happening: Happening, now_mono_s: float) -> list[SessionEvent]:
        match happening:
            case Acknowledged() | Arrived():
                return [happening]
            case Accepted():
                connection.subscribe()
                self._since_mono_s = now_mono_s
            case Subscribed():
                self._mark_up(connection, happening)
                return [Up()]
            case ConnectRefused(reason):
                self._drop()
                self._failed(of_reason(reason, self._where(connection)), now_mono_s, hopeless=reason in HOPELESS)
            case Ended(reason, text) if self.connection:
                where = self._where(connection)
                return self._end(of_text(text, where) if reason is None else of_reason(reason, where), now_mono_s)
        return []

    def _mark_up(self, connection: "Connection", answer: Subscribed) -> None:
        self.up, self.fault = True, None
        self.connects_n += 1
        _log.info("connected to %s", self._where(connection))
        if answer.refused_n:
            _log.warning("the broker refused %d of our subscriptions: no receipts or commands from there; see its ACL",
                         answer.refused_n)

    def _silence(self, connection: "Connection", now_mono_s: float) -> LinkFault | None:
        since_mono_s, patience_s = self._since_mono_s, ANSWER_S
        if self.up:
            since_mono_s, patience_s = self._heard_mono_s, SILENCES * connection.keepalive_s
        if now_mono_s - since_mono_s <= patience_s:
            return None
        return LinkFault("silent", "the broker has fallen silent: is it overloaded, or the network gone?",
                         where=self._where(connection))

    def _end(self, fault: LinkFault, now_mono_s: float) -> list[SessionEvent]:
        was_up = self.up
        self._drop()
        if not was_up:
            self._failed(fault, now_mono_s)
            return []
        self._backoff, wait_s = self._backoff.lost(now_mono_s - self._since_mono_s, self._draw())
        self._wait(fault, wait_s, now_mono_s)
        return [Down(self.fault or fault)]

    def _failed(self, fault: LinkFault, now_mono_s: float, hopeless: bool = False) -> None:
        self._backoff, wait_s = (self._backoff.refused if hopeless else self._backoff.failed)(self._draw())
        self._wait(fault, wait_s, now_mono_s)

    def _wait(self, fault: LinkFault, wait_s: float, now_mono_s: float) -> None:
        self.fault, self._due_mono_s = fault.to(self._audience), now_mono_s + wait_s
        _log.warning("%s", self.fault)
        _log.debug("next try in %.1f s", wait_s)

    def _flush(self, connection: "Connection") -> None:
        while self._posted and (self._posted[0][0].qos == 0 or connection.room_n > 0):
            connection.publish(*self._posted.popleft())

    def _drop(self) -> None:
        if self.connection:
            self.connection.cut()
        self.connection, self.up = None, False
        self.dropped_n += len(self._posted)
        self._posted.clear()

    def _where(self, connection: "Connection") -> str:
        return f"{connection.host}:{connection.port}"
