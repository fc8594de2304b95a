"""A connection to a camera: name, TCP, TLS; each step has a time limit and watches `stop`."""
import functools
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agent.cameras.frame_queue import TooLate, within
from agent.cameras.rtsp.pins import CertificatePins
from agent.core.protocols.rtsp.address import Address
from agent.host.stop import Stop

if TYPE_CHECKING:       # TLS costs 10 MB: only cameras that need it load it
    import ssl

T = TypeVar("T")

LOOK_S = 0.2            # how often `stop` is checked while a connection is being made
ADDRESSES_MAX = 4       # per name
PIECE_B = 65_536


class ConnectStopped(Exception):
    """`stop` was set."""


class CameraConnection:
    """One connection during the dialogue. `socket` never blocks, so that the hub can take it over."""

    def __init__(self, address: Address, stop: Stop, until_mono_s: float, now: Callable[[], float],
                 pins: CertificatePins | None = None) -> None:
        """Connects; `pins` hold the trusted certificates. Raises OSError, ConnectStopped and CertificateChanged."""
        self._stop, self._until_mono_s, self._now = stop, until_mono_s, now
        self.certificate = b""              # DER, if the connection is encrypted
        self.socket = self._connect(address)
        if address.tls:
            try:
                self._encrypt(address.host)
                if pins is not None:
                    pins.check(address, self.certificate)
            except BaseException:
                self.socket.close()
                raise

    def send(self, data: bytes, until_mono_s: float) -> None:
        """Sends all of it. Raises OSError and ConnectStopped."""
        sent_b = 0
        while sent_b < len(data):
            sent_b += self._patiently(functools.partial(self.socket.send, data[sent_b:]), select.POLLOUT, until_mono_s)

    def receive(self, until_mono_s: float) -> bytes:
        """Returns the next bytes, b"" at the end of the connection. Raises OSError and ConnectStopped."""
        return self._patiently(functools.partial(self.socket.recv, PIECE_B), select.POLLIN, until_mono_s)

    def _connect(self, address: Address) -> socket.socket:
        error: OSError = TimeoutError()
        for family, kind, protocol, _, place in self._find(address)[:ADDRESSES_MAX]:
            plain = socket.socket(family, kind, protocol)
            try:
                plain.setblocking(False)
                plain.connect_ex(place)
                self._wait(plain, select.POLLOUT, self._until_mono_s)
                if number := plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(number, "")       # the system turns it into ConnectionRefusedError and the like
                return plain
            except OSError as failed:
                plain.close()
                error = failed
            except BaseException:
                plain.close()
                raise
        raise error

    def _find(self, address: Address) -> list[tuple]:
        """The addresses of a name; the system may take much longer than we wait."""
        ask = functools.partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM)
        try:
            return ask(flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            try:
                return within(max(0.1, self._until_mono_s - self._now()), ask)
            except TooLate:
                raise TimeoutError from None

    def _encrypt(self, host: str) -> None:
        secure = self.socket = _tls().wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self._patiently(secure.do_handshake, select.POLLIN, self._until_mono_s)
        self.certificate = secure.getpeercert(binary_form=True) or b""

    def _patiently(self, call: Callable[[], T], blocked: int, until_mono_s: float) -> T:
        """Returns what `call` returns once it does not block; `blocked` is poll's event for a plain socket that would.
        Checks the clock before each call, because a camera that sends without end never blocks."""
        while True:
            self._left_s(until_mono_s)
            try:
                return call()
            except OSError as error:
                events = waits_for(error, blocked)
                if not events:
                    raise
            self._wait(self.socket, events, until_mono_s)

    def _wait(self, waited: socket.socket, events: int, until_mono_s: float) -> None:
        poll = select.poll()
        poll.register(waited, events)
        while not poll.poll(1000 * min(self._left_s(until_mono_s), LOOK_S)):
            pass

    def _left_s(self, until_mono_s: float) -> float:
        left_s = min(until_mono_s, self._until_mono_s) - self._now()
        if self._stop.is_set():
            raise ConnectStopped
        if left_s <= 0:
            raise TimeoutError
        return left_s


def waits_for(error: OSError, blocked: int) -> int:
    """Returns poll's event to wait for: `blocked` for a plain socket that would block; 0 for a true error."""
    if isinstance(error, BlockingIOError):
        return blocked
    # TLS errors by name, because without encryption their module is not loaded
    return {"SSLWantReadError": select.POLLIN, "SSLWantWriteError": select.POLLOUT}.get(type(error).__name__, 0)


@functools.cache
def _tls() -> "ssl.SSLContext":
    """Encrypts only. The pins check certificates: cameras sign their own, with keys too short for today's rules."""
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context
