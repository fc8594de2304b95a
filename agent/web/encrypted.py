"""The page encrypted, for the home network, by the device's own certificate.

The same port hears plain HTTP: from a browser on the device itself it never leaves the machine, and who speaks it from
elsewhere is led to the encrypted page (agent/web/access.py).
"""
import asyncio
import contextlib
import logging
import socket
import ssl
import subprocess
import sys
from asyncio import sslproto
from typing import Any

from agent.host.address import primary_address
from agent.store.database import StoreError
from agent.store.folders import Folders
from agent.store.page_certificate import CERTIFICATE, KEY, page_folder
from agent.web.connection import REQUEST_S, PageConnection

MAKE_S = 60.0               # a Zero needs two seconds to load the library
HANDSHAKE = b"\x16"         # the first byte of TLS: RFC 8446 §5.1
READ_B = 16_384             # a record of TLS: what a visitor sends is short

_log = logging.getLogger(__name__)


def context(folders: Folders) -> ssl.SSLContext:
    """With the device's certificate, which is made where there is none. Raises StoreError."""
    folder = page_folder(folders)
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        if not all((folder / each).exists() for each in (CERTIFICATE, KEY)):
            subprocess.run([sys.executable, "-m", "agent.web.certificate", folder, primary_address() or ""],
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
    """One that begins with TLS is encrypted from then on; any other one is plain HTTP.

    It counts as a connection of its visitor from its very beginning, with the same deadline.
    """

    def __init__(self, *arguments: Any, tls: ssl.SSLContext, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._tls = tls
        self._peek: socket.socket | None = None         # a second descriptor, for the transport has claimed its own
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""                               # what came before the handshake's end was told to us
        self._gone = False

    def connection_made(self, transport: asyncio.Transport) -> None:        # type: ignore[override]
        """A visitor has come; here it is still open what it speaks."""
        super().connection_made(transport)
        transport.pause_reading()
        self._peek = transport.get_extra_info("socket").dup()
        self.loop.add_reader(self._peek, self._look)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of several."""
        if self._handshake is not None:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The visitor has gone."""
        self._gone = True
        self._stop_peeking()
        super().connection_lost(exc)

    def _look(self) -> None:
        """What the visitor speaks, by its first byte, which stays to be read."""
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
            if not self._gone:                          # in a handshake nobody tells us
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
