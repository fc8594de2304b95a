"""What the ward's programs behind the proxy share: socket, life, end while nobody asks, and the client's certificate.

systemd holds their sockets and starts a program when somebody comes. So a program that has answered nobody for two
minutes ends: a ward gets a handful of requests a day, and three such programs would hold 144 MB for them.
"""
import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import uvicorn
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.host.sockets import listen
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.ward.service import CannotServe

CERTIFICATE = "x-client-certificate"        # set by the proxy: what it has checked, in PEM, percent-encoded
NAME = re.compile(r"[a-z0-9+-]{1,64}")
WATCHDOG_EVERY_S = 5.0
END_WITHIN_S = 3
WAITING_N_MAX = 100
FIRST_FD = 3                    # of the sockets that systemd hands on, sd_listen_fds(3)
IDLE_S = 120.0
LAST_S = 1.0                    # for a connection that was accepted just before the listener closed

_log = logging.getLogger(__name__)


def client_certificate(header: str) -> x509.Certificate | None:
    """Returns the certificate in the proxy's header; None without one."""
    try:
        return x509.load_pem_x509_certificate(unquote_to_bytes(header))
    except (ValueError, x509.InvalidVersion):
        return None


def client_name(certificate: x509.Certificate | None) -> str:
    """Returns the certificate's only common name; "" without one, or if it has other characters."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME) if certificate else []
    names = [str(each.value) for each in found]
    return names[0] if len(names) == 1 and NAME.fullmatch(names[0]) else ""


class IdleEnd:
    """Ends a server that systemd starts again for the next visitor, when nobody has asked for `idle_s` seconds."""

    def __init__(self, app: ASGIApp, may_end: Callable[[], bool], idle_s: float) -> None:
        """`may_end`: whether the program has nothing else to do or to remember."""
        self._app, self._may_end, self._idle_s = app, may_end, idle_s
        self._answering_n, self._last_mono_s = 0, time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._answering_n += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._answering_n -= 1
            self._last_mono_s = time.monotonic()

    async def watch(self, server: uvicorn.Server) -> None:
        """Returns after the server was told to end."""
        while not (server.started and self._is_idle()):
            await asyncio.sleep(min(self._idle_s, 5.0))
        # The listener first: systemd keeps whoever comes from now on for the next start.
        for each in server.servers:
            each.close()
        while True:
            await asyncio.sleep(LAST_S)
            if not self._answering_n:
                break
        _log.info("ends, because nobody has asked for %.0f s; the next visitor starts it again", self._idle_s)
        server.should_exit = True

    def _is_idle(self) -> bool:
        return not self._answering_n and time.monotonic() - self._last_mono_s >= self._idle_s and self._may_end()


def answer_at(path: str, key: str, app: ASGIApp, may_end: Callable[[], bool], idle_s: float = IDLE_S) -> None:
    """Answers on systemd's socket, or on one at `path`, which `key` sets, until a signal. Raises CannotServe.

    On systemd's socket it also ends if nobody has asked for `idle_s` seconds and `may_end` says so.
    """
    idle = None
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        listener = socket.socket(fileno=FIRST_FD)
        app = idle = IdleEnd(app, may_end, idle_s)
    else:
        try:
            listener = listen(Path(path), WAITING_N_MAX)
        except OSError as error:
            raise CannotServe(f"{key}: {path}: {error.strerror}; choose another place, or let this program's user "
                              "write there") from error
    with listener:
        _log.info("listens at %s", listener.getsockname())
        asyncio.run(_served(uvicorn.Server(uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="on", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=END_WITHIN_S,
        )), listener, idle))


async def _served(server: uvicorn.Server, listener: socket.socket, idle: IdleEnd | None) -> None:
    watch = asyncio.create_task(idle.watch(server)) if idle else None
    try:
        await server.serve(sockets=[listener])
    finally:
        if watch:
            watch.cancel()


@contextlib.asynccontextmanager
async def life(stop: Stop, chores: Iterable[Callable[[], Coroutine[Any, Any, None]]] = ()) -> AsyncIterator[None]:
    """Runs beside the answering: watchdog notifications, and the program's own chores."""
    if stop.is_set():                       # before the server could hear of it
        signal.raise_signal(signal.SIGTERM)
    tasks = [asyncio.create_task(each()) for each in (_beat, *chores)]
    notify("READY=1")
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _beat() -> None:
    """On the event loop, which waits for neither disk nor database."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(WATCHDOG_EVERY_S)
