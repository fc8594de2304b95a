"""A connection to an unknown camera, and the login there. Every wait and every read has a limit."""
import http.client
import io
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.cameras.discovery.found import CameraAccount
from agent.cameras.rtsp import connect
from agent.core.protocols.rtsp.address import Address
from agent.core.protocols.rtsp.login import Login, challenges
from agent.host.stop import Stop

LINE_S, SILENCE_S = 12.0, 6.0       # for all that one connection is used for, and for one wait on it
READ_MAX_B, BODY_MAX_B = 2_000_000, 1_500_000


def plainly(error: OSError) -> str:
    """Returns what went wrong on a connection, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(error.errno) if error.errno else str(error)


class Deadline:
    """A common limit for several waits: it ends after a time, or when `stop` is set."""

    def __init__(self, within_s: float, stop: Stop) -> None:
        self.stop = stop
        self._end_mono_s = time.monotonic() + within_s

    def until_mono_s(self, most_s: float) -> float:
        """Returns when a wait of at most `most_s` must end. Raises TimeoutError if the whole time is over."""
        now_mono_s = time.monotonic()
        if now_mono_s >= self._end_mono_s:
            raise TimeoutError
        return min(now_mono_s + most_s, self._end_mono_s)


class BoundedConnection:
    """A connection to a camera that is not trusted yet; a context manager. Methods raise OSError, ConnectStopped."""

    def __init__(self, host: str, port: int, tls: bool, deadline: Deadline) -> None:
        self._deadline, self._read_b = deadline, 0
        self._line = connect.CameraConnection(Address(host, port, tls, "", "", password=""), deadline.stop,
                                              deadline.until_mono_s(LINE_S), time.monotonic)

    def send(self, data: bytes) -> None:
        self._line.send(data, self._deadline.until_mono_s(SILENCE_S))

    def receive(self) -> bytes:
        """Returns the next bytes; b"" at the end."""
        data = self._line.receive(self._deadline.until_mono_s(SILENCE_S))
        self._read_b += len(data)
        if self._read_b > READ_MAX_B:
            raise OSError(f"sent more than {READ_MAX_B} bytes")
        return data

    def close(self) -> None:
        self._line.socket.close()

    def __enter__(self) -> "BoundedConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _AnswerReader(io.RawIOBase):
    """The connection as a file, from which http.client reads an answer."""

    def __init__(self, line: BoundedConnection) -> None:
        super().__init__()
        self._line, self._held = line, b""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._held = self._held or self._line.receive()
        part, self._held = self._held[:len(buffer)], self._held[len(buffer):]
        buffer[:len(part)] = part
        return len(part)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    challenges: tuple[str, ...]         # the WWW-Authenticate headers
    body: bytes


def target(url: str) -> str:
    """Returns the part of a URL for a request line: path and query."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def post(url: str, data: bytes, headers: Mapping[str, str], deadline: Deadline) -> HttpAnswer:
    """Sends `data` to an http or https URL; follows no redirection. Raises OSError, also if the answer is not HTTP."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    head = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(data)), **headers}
    lines = "\r\n".join([f"POST {target(url)} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())])
    with BoundedConnection(parts.hostname or "", parts.port or (443 if tls else 80), tls, deadline) as line:
        line.send(lines.encode() + b"\r\n\r\n" + data)
        answer = http.client.HTTPResponse(_AnswerReader(line), method="POST")     # type: ignore[arg-type]
        try:
            answer.begin()
            body = answer.read(BODY_MAX_B)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"no HTTP answer ({type(error).__name__})") from error
    return HttpAnswer(answer.status, tuple(answer.headers.get_all("WWW-Authenticate", ())), body)


REFUSALS_MAX_N = 2          # cameras lock an account, or our address, after 3 to 7 wrong passwords


class CameraRefused(Exception):
    """The camera shows us nothing; the text says why."""

    def __init__(self, text: str, wrong: bool = False, final: bool = True) -> None:
        super().__init__(text)
        self.wrong = wrong      # user or password was sent and refused
        self.final = final      # another request would be refused, too


class Tries:
    """Counts how often one camera has refused the account, over all its services."""

    def __init__(self) -> None:
        self.refused_n = 0

    @property
    def left(self) -> bool:
        return self.refused_n < REFUSALS_MAX_N


class Proof:
    """The login at one service (ONVIF, or one RTSP connection): first without the password, then with it once."""

    def __init__(self, account: CameraAccount | None, tries: Tries, in_clear: bool) -> None:
        """`in_clear`: send the password in the clear to a camera that offers only Basic."""
        self._account, self._tries, self._in_clear = account, tries, in_clear
        self.login = Login(account.user, account.password, secrets.token_hex(8)) if account else Login("", "", "")
        self.asked = False          # the camera asks for a login
        self._given = False         # the last request carried the password
        self._accepted = False      # and the camera accepted it

    def accepted(self) -> None:
        self._accepted = self._given

    def challenged(self, headers: tuple[str, ...] | list[str]) -> bool:
        """Handles a refusal with its WWW-Authenticate headers. Returns whether `login` knows one of the methods. Raises
        CameraRefused. After a success, a refusal may only mean that the camera wants a newer nonce."""
        if self._account is None:
            self.asked = True
            raise CameraRefused("asks for a user and password: give them with --user NAME")
        kinds = {offer.kind for offer in challenges(headers)} - {""}
        fit = bool(kinds) and (self._in_clear or kinds != {"basic"}) and self.login.challenged(headers)
        if self._given and not (fit and (self.login.stale or self._accepted)):
            self._tries.refused_n += 1
            raise CameraRefused("refuses this user or password", wrong=True, final=not self._tries.left)
        if not self._tries.left:
            raise CameraRefused("refused this password before, and is not asked again, so that it does not lock the "
                                "account")
        self.asked = self._given = True
        self._accepted = False
        return fit
