"""A phone's browser at a recorder's page: HTTPS to an address, cookies, forms sent as the page's own."""
import contextlib
import ctypes
import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.rigs.wait import HANG_S

NEW_NETWORK = 0x40000000        # CLONE_NEWNET, setns(2)
HOPS_N_MAX = 5
VISIT_S = 60.0


def dial_within(pid: int, address: str) -> Callable[[int], socket.socket]:
    """How to connect to ports of `address` in the network that a process sees; needs root. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if libc.setns(descriptor, NEW_NETWORK):
            raise OSError(number := ctypes.get_errno(), os.strerror(number))

    def dial(port: int) -> socket.socket:
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{pid}/ns/net") as there:
            enter(there.fileno())
            try:
                return socket.create_connection((address, port), VISIT_S)
            finally:
                enter(home.fileno())
    return dial


@dataclass(frozen=True, slots=True)
class Visit:
    """What the page answered in the end, redirects followed."""

    status: int
    path: str
    text: str


@dataclass
class Phone:
    """A browser; `dial` connects to a port, `host` is what its address line shows."""

    dial: Callable[[int], socket.socket]
    host: str
    port: int = 443
    cookies: dict[str, str] = field(default_factory=dict)
    fingerprint: bytes = b""

    def get(self, path: str) -> Visit:
        """Open a page. Raises OSError where nobody answers."""
        return self._visit("GET", path, None)

    def post(self, path: str, /, **form: str) -> Visit:
        """Send a form. Raises OSError where nobody answers."""
        return self._visit("POST", path, urlencode(form))

    def read(self, path: str) -> bytes:
        """The bytes behind an address. Raises OSError where nobody answers."""
        return self._ask("GET", path, None)[2]

    def _visit(self, method: str, path: str, body: str | None) -> Visit:
        for _ in range(HOPS_N_MAX):
            status, goal, data = self._ask(method, path, body)
            if status not in (302, 303):
                break
            method, body, path = "GET", None, re.sub(r"^https?://[^/]*", "", goal) or "/"
        return Visit(status, path, data.decode(errors="replace"))

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str, bytes]:
        """One request on a connection of its own: status, where to go on, body."""
        with self._answer(method, path, body) as answer:
            return answer.status, answer.getheader("location", ""), answer.read()

    @contextlib.contextmanager
    def watching(self, path: str) -> Iterator[None]:
        """Reads a live picture meanwhile. Raises OSError if there is none, or if it ended by itself."""
        with self._answer("GET", path, None) as answer:
            if answer.status != 200:
                raise OSError(f"{path}: {answer.status}")
            with reading(answer, path):
                yield

    @contextlib.contextmanager
    def _answer(self, method: str, path: str, body: str | None) -> Iterator[http.client.HTTPResponse]:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE      # as after a tap on "continue"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=HANG_S)
        connection.sock = trust.wrap_socket(self.dial(self.port), server_hostname=self.host)
        connection.sock.settimeout(VISIT_S)
        self.fingerprint = connection.sock.getpeercert(binary_form=True) or b""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        name = self.host if self.port == 443 else f"{self.host}:{self.port}"
        headers = {"Host": name, "Accept": "text/html", "Cookie": cookies}
        if body is not None:
            headers |= {"Origin": f"https://{name}", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("set-cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            yield answer
        finally:
            connection.close()


@contextlib.contextmanager
def reading(answer: http.client.HTTPResponse, path: str) -> Iterator[None]:
    """Reads an answer without an end meanwhile, as a viewer does. Raises OSError if it ended by itself."""
    over = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            while not over.is_set() and answer.read1(65_536):
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
        if not reader.is_alive():
            raise OSError(f"{path} ended by itself")
    finally:
        over.set()
        reader.join()
