"""One thread that receives for all network cameras of the process, and hands on what came where it stands.

A hand-over to another thread costs more than receiving itself (docs/design/cameras.md), so there is none.
"""
import contextlib
import functools
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.host.clock import SystemClock
from agent.host.stop import Stop

LOOK_S = 0.3                # how often stops and what is due are looked at
GATHER_S = 0.19             # what comes within this time is taken together: to wake up costs as much as a frame does
PIECE_B = 262_144           # of one connection in one turn: the others are never kept waiting for more

_log = logging.getLogger(__name__)


class HubConnection(Protocol):
    """A connection in the hub. An error that it raises ends this connection, and no other."""

    socket: socket.socket
    settling: bool      # what comes is dated by when it is taken: nothing may wait

    @property
    def due_mono_s(self) -> float:
        """When `tick` wants to be called."""

    def receive(self, piece: memoryview) -> bool:
        """Take what has come, at most once through `piece`; whether more may wait, announced by the socket or not."""

    def tick(self) -> bool:
        """Time has come, or room to send; whether it waits for room to send."""

    def end(self) -> None:
        """Say goodbye and close. Raises nothing."""


@dataclass(eq=False, slots=True)
class _Guest:
    """A connection in the hub."""

    connection: HubConnection
    stop: Stop
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    more: bool = False
    writes: bool = False


class Hub:
    """The thread, its selector and its guests. `serve` is for other threads, the rest is the thread's own."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is the clock that the connections' `due_mono_s` is on."""
        self._now = now
        self._lock = threading.Lock()
        self._coming: list[_Guest] = []
        self._guests: list[_Guest] = []
        self._thread: threading.Thread | None = None
        self._piece = memoryview(bytearray(PIECE_B))
        self._round_mono_s = float("-inf")

    def serve(self, connection: HubConnection, stop: Stop) -> None:
        """Look after a connection until `stop` is set; raises what ends it before."""
        guest = _Guest(connection, stop)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._open()
            self._coming.append(guest)
            os.eventfd_write(self._bell, 1)
        guest.ended.wait()
        if guest.error is not None:
            raise guest.error

    # Inside the lock.

    def _open(self) -> None:
        """A fresh thread with all that is its own; also after a fork, which threads don't survive."""
        self._coming, self._guests = [], []
        self._selector = selectors.DefaultSelector()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._bell, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._work, name="rtsp-hub", daemon=True)
        self._thread.start()

    # The thread's own.

    def _work(self) -> None:
        try:
            while True:
                self._turn()
        except Exception as error:      # a bug of the hub's own: nobody may wait for ever
            _log.exception("the thread of the network cameras broke off")
            with self._lock:
                self._thread = None     # the next guest gets another one
                left = self._guests + self._coming
            for guest in left:
                self._let_go(guest, error)
            self._selector.close()
            os.close(self._bell)

    def _turn(self) -> None:
        """Wait until something comes; serve all that has come, and now and then all that is due."""
        came = self._selector.select(0.0 if any(guest.more for guest in self._guests) else LOOK_S)
        for key, events in came:
            if key.data is None:
                self._welcome()
            else:
                self._serve(key.data, events)
        for guest in self._guests.copy():
            if guest.more:
                self._serve(guest, selectors.EVENT_READ)
        now_mono_s = self._now()        # read now: what has come counts before what is missing
        if now_mono_s >= self._round_mono_s:
            self._round_mono_s = now_mono_s + LOOK_S
            self._go_round(now_mono_s)
        if came and not any(guest.more or guest.connection.settling for guest in self._guests):
            time.sleep(GATHER_S)

    def _go_round(self, now_mono_s: float) -> None:
        for guest in self._guests.copy():
            if guest.stop.is_set():
                self._let_go(guest, None)
            elif now_mono_s >= guest.connection.due_mono_s:
                self._serve(guest, selectors.EVENT_WRITE)

    def _welcome(self) -> None:
        os.eventfd_read(self._bell)
        with self._lock:
            coming, self._coming = self._coming, []
            self._guests += coming
        for guest in coming:
            self._selector.register(guest.connection.socket, selectors.EVENT_READ, guest)

    def _serve(self, guest: _Guest, events: int) -> None:
        """Receive and send for one connection; its errors end it alone."""
        connection = guest.connection
        try:
            if events & selectors.EVENT_READ:
                guest.more = connection.receive(self._piece)
            if events & selectors.EVENT_WRITE:
                self._write_when_ready(guest, connection.tick())
        except Exception as error:
            self._let_go(guest, error)

    def _write_when_ready(self, guest: _Guest, wanted: bool) -> None:
        if wanted != guest.writes:
            guest.writes = wanted
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            self._selector.modify(guest.connection.socket, events, guest)

    def _let_go(self, guest: _Guest, error: Exception | None) -> None:
        """The connection is over; the thread that waits for it goes on."""
        if guest.ended.is_set():
            return
        if guest in self._guests:
            self._guests.remove(guest)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(guest.connection.socket)
        guest.connection.end()
        guest.error = error
        guest.ended.set()


@functools.cache
def the_hub() -> Hub:
    """The one of this process."""
    return Hub(SystemClock().mono_s)
