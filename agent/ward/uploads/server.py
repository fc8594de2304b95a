"""uvicorn on a leash: mutual TLS, whose certificate it is told to the application, and no peer that lasts for ever."""
import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from agent.host.stop import Stop
from agent.ward.settings import Intake
from agent.ward.uploads.figures import Figures
from agent.ward.uploads.tls import CannotServe, Door, name_of

CONNECTIONS_MAX, OF_ONE_MAX = 64, 4
WAITING_N_MAX = 100
HANDSHAKE_S = 10.0              # a Zero needs two
HEAD_S = 20                     # until a request's head is there, and between two requests
DEAD_AFTER_MS = 30_000
END_WITHIN_S = 3
TICK_S = 0.25

_log = logging.getLogger(__name__)


def listen(own: Intake) -> socket.socket:
    """The socket for `[intake] listen` and `port`. Raises CannotServe."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(own.listen, own.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise _cannot(own, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(WAITING_N_MAX)
    except OSError as error:
        listener.close()
        raise _cannot(own, error) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)     # each connection inherits
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(HANDSHAKE_S))  # both: who says nothing is
    listener.setblocking(False)                                                         # the kernel's matter
    return listener


def _cannot(own: Intake, error: OSError) -> CannotServe:
    return CannotServe(f"can't listen on {own.listen} port {own.port}: {error.strerror}; choose another address or "
                       "port under [intake]")


class Peer(H11Protocol):
    """One connection. `scope["state"]["peer"]` is the common name of its certificate."""

    def __init__(self, config: uvicorn.Config, state: ServerState, figures: Figures) -> None:
        super().__init__(config, state, app_state={})
        self._figures, self.peer = figures, ""
        self._head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:    # type: ignore[override]
        """It is through the handshake."""
        super().connection_made(transport)
        self.peer = name_of(transport.get_extra_info("peercert"))
        self.app_state = {**self.app_state, "peer": self.peer}
        self._await_head()
        of_one = sum(isinstance(each, Peer) and each.peer == self.peer for each in self.connections)
        if of_one > OF_ONE_MAX or len(self.connections) > CONNECTIONS_MAX:
            self._figures.turned_away.inc()
            transport.close()

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        super().data_received(data)
        if self._is_answering():
            self._head_is_there()

    def on_response_complete(self) -> None:
        """The next one may come; its head may have come already."""
        super().on_response_complete()
        if not self._is_answering():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._head_is_there()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        """A head that comes byte by byte is no sign of life: it is whole in time, or its sender goes."""
        self._head_is_there()
        self._head_due = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._head_due:
            self._head_due.cancel()
            self._head_due = None


class Server(uvicorn.Server):
    """Serves until `stop`; `tick` is called a few times a second, from the event loop."""

    def __init__(self, app: ASGIApp, door: Door, figures: Figures, stop: Stop, tick: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(
            app, loop="asyncio", http=Peer, ws="none", lifespan="off",
            log_config=None, log_level="warning", access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=HEAD_S, timeout_graceful_shutdown=END_WITHIN_S, h11_max_incomplete_event_size=16 * 1024))
        self._door, self._figures, self._stop, self._tick = door, figures, stop, tick
        self._listener: socket.socket | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Instead of uvicorn's, whose handshakes may last a minute and whose context is for ever."""
        assert sockets
        self._listener = sockets[0]
        self.servers = [await self._open()]
        self.started = True

    async def main_loop(self) -> None:
        """Instead of uvicorn's, which has no context to change."""
        while not self._stop.is_set():
            self._tick()
            if self._door.changed():
                await self._change_lock()
            self._figures.connections.set(len(self.server_state.connections))
            await self.on_tick(0)           # keeps the Date header right
            await asyncio.sleep(TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Instead of uvicorn's: `stop` has the signals already."""
        yield

    async def _change_lock(self) -> None:
        """By the new files from now on. Who is inside has to come again, for he may be revoked."""
        try:
            self._door.reload()
        except CannotServe as error:
            _log.error("%s; until then, what was read before counts", error)
            return
        _log.info("certificates and the list of the revoked were read anew")
        before, self.servers = self.servers, [await self._open()]
        for server in before:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _open(self) -> asyncio.Server:
        assert self._listener
        self._figures.crl_until_s.set(self._door.crl_until_s)
        return await asyncio.get_running_loop().create_server(
            lambda: Peer(self.config, self.server_state, self._figures), sock=self._listener.dup(),
            ssl=self._door.context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=END_WITHIN_S,
            backlog=WAITING_N_MAX)
