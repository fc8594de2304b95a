"""One thread receives for all network cameras, because passing data on costs more (docs/design/recording.md)."""
import contextlib
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.cameras.rtsp.stream import RtspStream
from agent.host.clock import SystemClock
from agent.host.stop import Stop

LOOK_S = 0.3                # how often stops and due times are checked
GATHER_S = 0.19             # data within this time is read together, because a wake-up costs as much as a frame
PIECE_B = 262_144           # of one connection in one turn, so that the others wait no longer

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Guest:
    connection: RtspStream
    stop: Stop
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    more: bool = False
    writes: bool = False


class Hub:
    """The thread, its selector and its connections. Other threads call `serve`; the rest is for the thread itself."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is the clock of the connections' `due_mono_s`."""
        self._now = now
        self._lock = threading.Lock()
        self._coming: list[_Guest] = []
        self._guests: list[_Guest] = []
        self._thread: threading.Thread | None = None
        self._piece = memoryview(bytearray(PIECE_B))
        self._round_mono_s = float("-inf")

    def serve(self, connection: RtspStream, stop: Stop) -> None:
        """Serves a connection until `stop` is set; raises the error that ends it earlier, and only it."""
        guest = _Guest(connection, stop)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._open()
            self._coming.append(guest)
            os.eventfd_write(self._bell, 1)
        guest.ended.wait()
        if guest.error is not None:
            raise guest.error

    # Called with the lock held.

    def _open(self) -> None:
        """Starts a new thread with its own state; also after a fork, which threads do not survive."""
        self._coming, self._guests = [], []
        self._selector = selectors.DefaultSelector()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._bell, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._work, name="rtsp-hub", daemon=True)
        self._thread.start()

    # Called in the thread only.

    def _work(self) -> None:
        try:
            while True:
                self._turn()
        except Exception as error:      # a bug in the hub itself: nobody may wait for ever
            _log.exception("the thread of the network cameras broke off")
            with self._lock:
                self._thread = None     # the next connection gets a new thread
                left = self._guests + self._coming
            for guest in left:
                self._end(guest, error)
            self._selector.close()
            os.close(self._bell)

    def _turn(self) -> None:
        came = self._selector.select(0.0 if any(guest.more for guest in self._guests) else LOOK_S)
        for key, events in came:
            if key.data is None:
                self._register()
            else:
                self._serve(key.data, events)
        for guest in self._guests.copy():
            if guest.more:
                self._serve(guest, selectors.EVENT_READ)
        now_mono_s = self._now()        # read now, because data that came counts before a time-out
        if now_mono_s >= self._round_mono_s:
            self._round_mono_s = now_mono_s + LOOK_S
            self._check_due(now_mono_s)
        if came and not any(guest.more or guest.connection.settling for guest in self._guests):
            time.sleep(GATHER_S)

    def _check_due(self, now_mono_s: float) -> None:
        for guest in self._guests.copy():
            if guest.stop.is_set():
                self._end(guest, None)
            elif now_mono_s >= guest.connection.due_mono_s:
                self._serve(guest, selectors.EVENT_WRITE)

    def _register(self) -> None:
        os.eventfd_read(self._bell)
        with self._lock:
            coming, self._coming = self._coming, []
            self._guests += coming
        for guest in coming:
            self._selector.register(guest.connection.socket, selectors.EVENT_READ, guest)

    def _serve(self, guest: _Guest, events: int) -> None:
        connection = guest.connection
        try:
            if events & selectors.EVENT_READ:
                guest.more = connection.receive(self._piece)
            if events & selectors.EVENT_WRITE:
                self._write_when_ready(guest, connection.tick())
        except Exception as error:
            self._end(guest, error)

    def _write_when_ready(self, guest: _Guest, wanted: bool) -> None:
        if wanted != guest.writes:
            guest.writes = wanted
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            self._selector.modify(guest.connection.socket, events, guest)

    def _end(self, guest: _Guest, error: Exception | None) -> None:
        if guest.ended.is_set():
            return
        if guest in self._guests:
            self._guests.remove(guest)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(guest.connection.socket)
        guest.connection.end()
        guest.error = error
        guest.ended.set()


_HUB = Hub(SystemClock().mono_s)        # made here, because two threads that import a module get the same one


def the_hub() -> Hub:
    return _HUB
