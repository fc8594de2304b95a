"""What the ward's programs behind the proxy share: socket, life, and the client's certificate."""
import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import uvicorn
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp

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


def answer_at(path: str, key: str, app: ASGIApp) -> None:
    """Answers on systemd's socket, or on one at `path`, which `key` sets, until a signal. Raises CannotServe."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        listener = socket.socket(fileno=FIRST_FD)
    else:
        try:
            listener = listen(Path(path), WAITING_N_MAX)
        except OSError as error:
            raise CannotServe(f"{key}: {path}: {error.strerror}; choose another place, or let this program's user "
                              "write there") from error
    with listener:
        _log.info("listens at %s", listener.getsockname())
        uvicorn.Server(uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="on", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=END_WITHIN_S,
        )).run(sockets=[listener])


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
