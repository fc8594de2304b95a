"""One HTTP POST to a camera."""
import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.tools.discover.line import Deadline, Line

BODY_MAX_B = 1_500_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; redirects are not followed."""

    status: int
    challenges: tuple[str, ...]         # the WWW-Authenticate headers
    body: bytes


class _Reader(io.RawIOBase):
    """A line as the file that http.client reads an answer from."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line, self._held = line, b""

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what is there, or with what comes next."""
        self._held = self._held or self._line.receive()
        part, self._held = self._held[:len(buffer)], self._held[len(buffer):]
        buffer[:len(part)] = part
        return len(part)


def target(url: str) -> str:
    """The path and the query: what a request line says."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def post(url: str, data: bytes, headers: Mapping[str, str], deadline: Deadline) -> Answer:
    """Send `data` to an http or https URL. Raises OSError, also for an answer that is no HTTP."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    head = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(data)), **headers}
    lines = "\r\n".join([f"POST {target(url)} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())])
    with Line(parts.hostname or "", parts.port or (443 if tls else 80), tls, deadline) as line:
        line.send(lines.encode() + b"\r\n\r\n" + data)
        answer = http.client.HTTPResponse(_Reader(line), method="POST")     # type: ignore[arg-type]
        try:
            answer.begin()
            body = answer.read(BODY_MAX_B)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"no HTTP answer ({type(error).__name__})") from error
    return Answer(answer.status, tuple(answer.headers.get_all("WWW-Authenticate", ())), body)
