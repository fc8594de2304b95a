"""Asking a camera by ONVIF: each question with a proof of who we are in the way that the camera wants."""
import contextlib
import secrets
from datetime import UTC, datetime, timedelta

from agent.core.onvif import device
from agent.core.onvif.soap import NONCE_B, Fault, Request, envelope, unwrap, username_token
from agent.core.onvif.tree import BadXml, Node
from agent.tools.discover.found import Account
from agent.tools.discover.line import Deadline
from agent.tools.discover.post import Answer, post, target
from agent.tools.discover.proof import Proof, Tries

TURNS_N = 3         # without the password, with it, with a newer nonce


class NotOnvif(Exception):
    """Nobody speaks ONVIF there; the text says what came instead."""


class Device:
    """One camera's services."""

    def __init__(self, account: Account | None, tries: Tries, deadline: Deadline) -> None:
        self._account, self._deadline, self._url = account, deadline, ""
        self._proof = Proof(account, tries, in_clear=False)
        self._token = False                     # the proof goes into the message, not into HTTP
        self.behind = timedelta(0)              # the camera's clock against ours

    def meet(self, url: str) -> None:
        """Learn at its device service what time the camera believes it is: a proof with another time is refused.

        Raises NotOnvif, Refused, OSError.
        """
        self._url = url
        with contextlib.suppress(Fault):        # it speaks; without its clock ours must do
            told = device.clock(self.ask(device.GET_CLOCK))
            self.behind = datetime.now(UTC) - told if told else self.behind

    def ask(self, request: Request, url: str = "") -> Node:
        """Put a question to the device service, or to the one at `url`. Raises NotOnvif, Fault, Refused, OSError."""
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

    def _message(self, request: Request, url: str) -> tuple[bytes, dict[str, str]]:
        """The body and the HTTP headers."""
        token = ""
        if self._token and self._account:
            token = username_token(self._account.user, self._account.password, secrets.token_bytes(NONCE_B),
                                   datetime.now(UTC) - self.behind)
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{request.action}"'}
        if not self._token and (said := self._proof.login.authorization("POST", target(url))):
            headers["Authorization"] = said
        return envelope(request, token), headers


def _read(answer: Answer) -> Node:
    """What the answer says. Raises Fault, also for a bare 401; NotOnvif."""
    try:
        return unwrap(answer.body)
    except BadXml as error:
        if answer.status == 401:
            raise Fault("NotAuthorized", "") from error
        raise NotOnvif(f"answers HTTP {answer.status} without ONVIF") from error
