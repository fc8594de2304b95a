"""Asking a camera by ONVIF: each question with a proof of who we are in the way that the camera wants."""
import contextlib
import http.client
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from agent.cli.discover.connection import BoundedConnection, Deadline
from agent.cli.discover.found import CameraAccount
from agent.core.protocols.onvif import device
from agent.core.protocols.onvif.soap import NONCE_B, Fault, SoapRequest, envelope, unwrap, username_token
from agent.core.protocols.onvif.tree import BadXml, Node
from agent.core.protocols.rtsp.login import Login, challenges

BODY_MAX_B = 1_500_000


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; redirects are not followed."""

    status: int
    challenges: tuple[str, ...]         # the WWW-Authenticate headers
    body: bytes


class _AnswerReader(io.RawIOBase):
    """A line as the file that http.client reads an answer from."""

    def __init__(self, line: BoundedConnection) -> None:
        super().__init__()
        self._line, self._held = line, b""

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Whether it can be read: always."""
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


def post(url: str, data: bytes, headers: Mapping[str, str], deadline: Deadline) -> HttpAnswer:
    """Send `data` to an http or https URL. Raises OSError, also for an answer that is no HTTP."""
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
    """The camera lets us see nothing; the text says why."""

    def __init__(self, text: str, wrong: bool = False, final: bool = True) -> None:
        super().__init__(text)
        self.wrong = wrong      # the account was given and not believed
        self.final = final      # another question would not be answered better


class Tries:
    """What one camera has refused so far, at whichever of its doors."""

    def __init__(self) -> None:
        self._refused_n = 0

    def refused(self) -> None:
        """Count one wrong password."""
        self._refused_n += 1

    @property
    def left(self) -> bool:
        """Whether another try is safe."""
        return self._refused_n < REFUSALS_MAX_N


class Proof:
    """The account at one door (ONVIF, or one RTSP connection): asked without a password first, then with it once."""

    def __init__(self, account: CameraAccount | None, tries: Tries, in_clear: bool) -> None:
        """`in_clear`: a camera that offers nothing but Basic may have the password that way."""
        self._account, self._tries, self._in_clear = account, tries, in_clear
        self.login = Login(account.user, account.password, secrets.token_hex(8)) if account else Login("", "", "")
        self.asked = False          # the camera wants to know who we are
        self._given = False         # the password is in what was sent last
        self._accepted = False      # and was believed

    def accepted(self) -> None:
        """The camera answered."""
        self._accepted = self._given

    def challenged(self, headers: tuple[str, ...] | list[str]) -> bool:
        """Take a refusal with its WWW-Authenticate headers; whether `login` knows an answer. Raises CameraRefused.

        Once believed, a refusal may only mean that the camera wants a newer nonce.
        """
        if self._account is None:
            self.asked = True
            raise CameraRefused("asks for a user and password: give them with --user NAME")
        kinds = {offer.kind for offer in challenges(headers)} - {""}
        fit = bool(kinds) and (self._in_clear or kinds != {"basic"}) and self.login.challenged(headers)
        if self._given and not (fit and (self.login.stale or self._accepted)):
            self._tries.refused()
            raise CameraRefused("refuses this user or password", wrong=True, final=not self._tries.left)
        if not self._tries.left:
            raise CameraRefused("refused this password before, and is not asked again, so that it does not lock the "
                                "account")
        self.asked = self._given = True
        self._accepted = False
        return fit


TURNS_N = 3         # without the password, with it, with a newer nonce


class NotOnvif(Exception):
    """Nobody speaks ONVIF there; the text says what came instead."""


class OnvifDevice:
    """One camera's services."""

    def __init__(self, account: CameraAccount | None, tries: Tries, deadline: Deadline) -> None:
        self._account, self._deadline, self._url = account, deadline, ""
        self._proof = Proof(account, tries, in_clear=False)
        self._token = False                     # the proof goes into the message, not into HTTP
        self.behind = timedelta(0)              # the camera's clock against ours

    def meet(self, url: str) -> None:
        """Learn at its device service what time the camera believes it is: a proof with another time is refused.

        Raises NotOnvif, CameraRefused, OSError.
        """
        self._url = url
        with contextlib.suppress(Fault):        # it speaks; without its clock ours must do
            told = device.clock(self.ask(device.GET_CLOCK))
            self.behind = datetime.now(UTC) - told if told else self.behind

    def ask(self, request: SoapRequest, url: str = "") -> Node:
        """Put a question to the device service, or to the one at `url`.

        Raises NotOnvif, Fault, CameraRefused and OSError.
        """
        url = url or self._url
        for _ in range(TURNS_N):
            answer = post(url, *self._message(request, url), self._deadline)
            try:
                told = _read(answer)
            except Fault as fault:
                if not (answer.status == 401 or fault.refused):
                    self._proof.accepted()
                    raise
                self._token = not self._proof.challenged(answer.challenges)
            else:
                self._proof.accepted()
                return told
        raise NotOnvif("asks for the password again and again")

    def _message(self, request: SoapRequest, url: str) -> tuple[bytes, dict[str, str]]:
        """The body and the HTTP headers."""
        token = ""
        if self._token and self._account:
            token = username_token(self._account.user, self._account.password, secrets.token_bytes(NONCE_B),
                                   datetime.now(UTC) - self.behind)
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{request.action}"'}
        if not self._token and (said := self._proof.login.authorization("POST", target(url))):
            headers["Authorization"] = said
        return envelope(request, token), headers


def _read(answer: HttpAnswer) -> Node:
    """What the answer says. Raises Fault, also for a bare 401; NotOnvif."""
    try:
        return unwrap(answer.body)
    except BadXml as error:
        if answer.status == 401:
            raise Fault("NotAuthorized", "") from error
        raise NotOnvif(f"answers HTTP {answer.status} without ONVIF") from error
