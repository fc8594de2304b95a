"""A broker that says exactly the bytes a test wants, and a session that is driven by hand against it."""
import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from agent.core.contract import wire
from agent.core.delivery.backoff import Backoff
from agent.mqtt.connection import Connection
from agent.mqtt.credentials import Credentials
from agent.mqtt.messages import ConnectOptions, Outgoing
from agent.mqtt.session import Session, SessionEvent, Up
from tests.conftest import HandClock
from tests.rigs.wait import HANG_S, until

CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8
KEEPALIVE_S = 60
TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")


def packet(first: int, body: bytes) -> bytes:
    """One MQTT packet: its first byte, the length, and the rest."""
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def connack(reason: int = 0, properties: bytes = b"") -> bytes:
    """The answer to CONNECT."""
    return packet(0x20, bytes([0, reason, len(properties)]) + properties)


def suback(request: bytes) -> bytes:
    """The answer that grants all that `request`, a SUBSCRIBE's body, asks for."""
    return packet(0x90, request[:2] + b"\0" + bytes([1] * len(TOPICS.subscriptions)))


class Caller:
    """One connection, from the broker's side."""

    def __init__(self, link: socket.socket, heard: list[int]) -> None:
        self._link, self._heard = link, heard
        link.settimeout(HANG_S)

    def hear(self) -> tuple[int, bytes]:
        """The next packet: its kind, and what follows its length. Raises OSError."""
        first, size = self._read(1)[0], 0
        for shift in range(0, 28, 7):
            digit = self._read(1)[0]
            size |= (digit & 127) << shift
            if digit < 128:
                break
        body = self._read(size)
        self._heard.append(first >> 4)
        return first >> 4, body

    def hear_until(self, kind: int) -> bytes:
        """What follows the length of the next packet of this kind. Raises OSError."""
        while (heard := self.hear())[0] != kind:
            pass
        return heard[1]

    def say(self, *packets: bytes) -> None:
        """Say these bytes."""
        self._link.sendall(b"".join(packets))

    def welcome(self, properties: bytes = b"") -> None:
        """Do what a good broker does until the session is up."""
        self.hear_until(CONNECT)
        self.say(connack(properties=properties))
        self.say(suback(self.hear_until(SUBSCRIBE)))

    def _read(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            if not (more := self._link.recv(size - len(read))):
                raise ConnectionResetError
            read += more
        return read


class Mumbler:
    """Listens; each connection is one more call of `play`, and stays open until the end. A context manager."""

    def __init__(self, play: Callable[[Caller], None]) -> None:
        self.calls_n, self.play = 0, play
        self.heard: list[int] = []          # kinds of packets
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._links: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._door.accept()
                self.calls_n += 1
                self._links.append(link)
                threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.play(Caller(link, self.heard))

    def __enter__(self) -> "Mumbler":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        for each in (self._door, *self._links):
            each.close()


class Hand:
    """A session whose clock is moved by the test; it connects at once, and then with the longest waits."""

    def __init__(self, port: int, tls: Any = None) -> None:
        self.clock, self.told = HandClock(), []
        will = Outgoing(TOPICS.status, b"{}", retain=True)
        credentials = Credentials(TOPICS.dev, tls, None, None, None)
        self._draw = 0.0
        options = ConnectOptions(KEEPALIVE_S, will, 30)
        self.session = Session(
            lambda: Connection("127.0.0.1", port, credentials, TOPICS.subscriptions, options), self.clock, Backoff(),
            lambda: self._draw)
        self._draw = 0.999

    def turn(self) -> list[SessionEvent]:
        """What the link's loop does once; no time passes for the session."""
        session = self.session
        sockets = [session.socket()] if session.socket() else []
        readable = bool(select.select(sockets, [], [], 0.01)[0])
        told = session.turn(readable or session.holds_more())
        self.told += told
        return told

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Turn until `condition` holds; no time passes for the session."""
        return until(lambda: (self.turn(), condition())[1], what)

    def come_up(self, times_n: int = 1) -> None:
        """Turn until the session has come up so often."""
        self.until(lambda: self.told.count(Up()) >= times_n, "the session is up")

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and turn a few times."""
        self.clock.advance(seconds)
        for _ in range(5):
            self.turn()
