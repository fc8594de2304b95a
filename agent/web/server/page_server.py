"""Uvicorn as part of a role: it stops with the role, leaves signals to it, and limits connections."""
import asyncio
import contextlib
import logging
import socket
import ssl
import subprocess
import sys
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.host.address import primary_address
from agent.host.stop import Stop
from agent.store.database import StoreError
from agent.store.folders import Folders
from agent.store.identity import CERTIFICATE, KEY, page_folder
from agent.web.server.sleep import Quiet

AWAKE_S = 2.0               # between two looks at messages of other roles, while a browser is connected
END_WITHIN_S = 1
CONNECTIONS_N_MAX = 80          # a browser takes six at most
OF_ONE_PEER_N_MAX = 40          # several phones behind one proxy or VPN are one peer
SILENT_OF_ONE_PEER_N_MAX = 16
REQUEST_S = 10.0                # from its first byte, or from the connection's start, until a request is complete
MAKE_S = 60.0               # a Zero needs two seconds to load the library
HANDSHAKE = b"\x16"         # the first byte of TLS: RFC 8446 §5.1
READ_B = 16_384             # a record of TLS: what a visitor sends is short

_log = logging.getLogger(__name__)


class PageConnection(H11Protocol):
    """HTTP as uvicorn speaks it, with a deadline for each request.

    A connection over the limits is accepted, and the one whose visitor has kept us waiting longest is closed. So one
    address can fill only its own share, and silent connections keep no visitor out.
    """

    _deadline: asyncio.TimerHandle | None = None
    _since_s = 0.0

    @property
    def peer(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def waits(self) -> bool:
        """Whether the visitor has to act: a request is incomplete, and no part of an answer is under way."""
        return self._is_owed() and self.transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.Transport) -> None:        # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._is_owed():
            self._wait_for_request()
        super().data_received(data)
        if not self._is_owed():
            self._wait_no_more()

    def handle_events(self) -> None:
        """Sets the answers' date, which uvicorn would look up every second."""
        self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        super().handle_events()

    def on_response_complete(self) -> None:
        """Starts the deadline if part of the next request is here. Uvicorn only limits the wait for its first byte."""
        self._since_s = self.loop.time()
        super().on_response_complete()
        if self._deadline is None and self._is_owed() and self.conn.trailing_data[0]:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _is_owed(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _wait_for_request(self) -> None:
        self._since_s = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        here = [other for other in self.connections
                if isinstance(other, PageConnection) and not other.transport.is_closing()]
        of_peer = [other for other in here if other.peer == self.peer]
        crowded = (len(of_peer) > OF_ONE_PEER_N_MAX
                   or sum(other.waits for other in of_peer) > SILENT_OF_ONE_PEER_N_MAX)
        if crowded or len(here) >= CONNECTIONS_N_MAX:
            waiting = [other for other in (of_peer if crowded else here) if other.waits and other is not self]
            longest = min(waiting, key=lambda other: other._since_s, default=self if crowded else None)
            if longest is not None:
                longest.transport.abort()


def context(folders: Folders) -> ssl.SSLContext:
    """Returns TLS with the device's certificate, which it makes if it is missing. Raises StoreError."""
    folder = page_folder(folders)
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        if not all((folder / file).exists() for file in (CERTIFICATE, KEY)):
            subprocess.run([sys.executable, "-m", "agent.web.server.certificate", folder, primary_address() or ""],
                           check=True, timeout=MAKE_S)
            _log.info("the page has a certificate of its own now")
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(f"{folder}: {getattr(error, 'strerror', None) or error}; the page's certificate can't "
                         "be made or used: look at the card (taimat doctor), or move this folder away for a new one"
                         ) from error
    return made


class EncryptedConnection(PageConnection):
    """Encrypts a connection that begins with TLS; any other one is plain HTTP.

    It counts as its visitor's connection from the start, with the same deadline.
    """

    def __init__(self, *arguments: Any, tls: ssl.SSLContext, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._tls = tls
        self._peek: socket.socket | None = None         # a second descriptor, for the transport has claimed its own
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""                               # data from before asyncio reported the handshake's end
        self._gone = False

    def connection_made(self, transport: asyncio.Transport) -> None:        # type: ignore[override]
        """Pauses reading until the first byte shows whether the visitor speaks TLS."""
        super().connection_made(transport)
        transport.pause_reading()
        self._peek = transport.get_extra_info("socket").dup()
        self.loop.add_reader(self._peek, self._look)

    def data_received(self, data: bytes) -> None:
        if self._handshake is not None:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._stop_peeking()
        super().connection_lost(exc)

    def _look(self) -> None:
        assert self._peek is not None
        first = b""
        with contextlib.suppress(OSError):
            first = self._peek.recv(1, socket.MSG_PEEK)
        self._stop_peeking()
        if first == HANDSHAKE:
            self._handshake = asyncio.ensure_future(self._encrypt(self.transport))
        else:
            self.transport.resume_reading()

    async def _encrypt(self, plain: asyncio.Transport) -> None:
        encrypted, fault = None, None
        try:
            encrypted = await self.loop.start_tls(plain, self, self._tls, server_side=True,
                                                  ssl_handshake_timeout=REQUEST_S)
        except OSError as error:                        # ssl.SSLError and TimeoutError among them
            fault = error
        self._handshake = None
        if encrypted is None or plain.is_closing():
            if not self._gone:                          # asyncio reports no loss during a handshake
                self.connection_lost(fault or ConnectionAbortedError())
            return
        self._wait_no_more()
        super().connection_made(encrypted)              # type: ignore[arg-type]
        if self._early:
            early, self._early = self._early, b""
            super().data_received(early)

    def _stop_peeking(self) -> None:
        if self._peek is not None:
            self.loop.remove_reader(self._peek)
            self._peek.close()
            self._peek = None


sslproto.SSLProtocol.max_size = READ_B      # of the buffer that each connection has: its 256 kB are for downloads


class PageServer(uvicorn.Server):
    """Serves until `stop`, or until it has been quiet for long: then `sleeps` is true.

    The event loop calls `tick` when a heartbeat is due, and more often while a browser is connected. `tick` returns the
    seconds until the next one.
    """

    def __init__(self, app: ASGIApp, stop: Stop, tick: Callable[[], Awaitable[float]], at_end: Callable[[], None],
                 tls: ssl.SSLContext | None, quiet: Quiet | None = None) -> None:
        """With `tls`, only loopback may use plain HTTP. Without `quiet` it stays awake."""
        connection = partial(EncryptedConnection, tls=tls) if tls else PageConnection
        super().__init__(uvicorn.Config(
            app, loop="asyncio", http=connection, ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, server_header=False, limit_concurrency=CONNECTIONS_N_MAX,
            timeout_keep_alive=20, timeout_graceful_shutdown=END_WITHIN_S, h11_max_incomplete_event_size=16 * 1024))
        self._stop, self._tick, self._at_end, self._quiet = stop, tick, at_end, quiet
        self.sleeps = False
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        """Replaces uvicorn's loop, which wakes ten times a second."""
        while not self._stop.is_set():
            wait_s = await self._tick()
            state = self.server_state
            self.sleeps = self._quiet is not None and self._quiet.lasts(len(state.connections), state.total_requests)
            if self.sleeps:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, AWAKE_S) if state.connections else wait_s):
                    await self._ended.wait()
        self._at_end()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's: `stop` has the signals already, and wakes the main loop."""
        loop = asyncio.get_running_loop()
        with self._stop.waking(lambda: loop.call_soon_threadsafe(self._ended.set)):
            yield
