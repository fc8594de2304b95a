"""The dialogue with one camera, from OPTIONS to PLAY and to the end: messages in, bytes to send out. Pure.

Methods and their order: RFC 2326 §10; packets between the messages of one TCP connection: §10.12.
"""
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from agent.core.protocols.rtsp import message, sdp
from agent.core.protocols.rtsp.address import Address, base_of, resolve
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspAnswer, RtspRequest
from agent.core.protocols.rtsp.sdp import OfferedTrack, UnfitStream, sound_of, video_of

PROOFS_MAX = 3                      # of one request: without a password, with it, and with a newer nonce
TIMEOUT_S = 60.0                    # of a session that has no timeout, RFC 2326 §12.37
KEEP_ALIVE_LEAST_S, KEEP_ALIVE_MOST_S = 2.0, 30.0
INTERLEAVED = re.compile(r"interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?")
CHANNEL_MAX = 255                   # RFC 2326 §10.12: a byte
SESSION_TIMEOUT = re.compile(r";\s*timeout\s*=\s*(\d{1,5})")
# a server's requests that only check the connection
UNDERSTOOD = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE")
GOODBYES = ("TEARDOWN", "REDIRECT")


class RequestRefused(Exception):
    """The camera refuses a request with an error that no other reader would avoid."""

    def __init__(self, method: str, status: int) -> None:
        super().__init__(f"answers {method} with {status}")
        self.method, self.status = method, status


class Moved(Exception):
    """The camera redirects to another address."""

    def __init__(self, url: str) -> None:
        super().__init__("redirects us to another address")
        self.url = url


class DialogueStep(Enum):
    OPTIONS = auto()
    DESCRIBE = auto()
    SETUP = auto()
    PLAY = auto()
    PLAYING = auto()


@dataclass(frozen=True, slots=True)
class _SentRequest:
    number: int
    method: str
    uri: str
    headers: Mapping[str, str]
    proved: bool
    proofs_n: int = 1


class Dialogue:
    """One connection's dialogue: `begin`, then `hear` for each message, later `keep_alive` and `farewell`. Each
    returns the bytes to send. `hear` raises RequestRefused, UnfitStream and Moved; then the connection is useless."""

    def __init__(self, address: Address, login: Login, audio: bool = False) -> None:
        """`audio`: also request the camera's sound."""
        self._address, self._login, self._audio = address, login, audio
        self._asked: _SentRequest | None = None
        self._asked_n = 0
        self._session = ""
        self._timeout_s = TIMEOUT_S
        self._knows_get = False             # it supports GET_PARAMETER
        self._whole_uri = address.uri       # the address for PLAY and later requests
        self._to_set_up: list[OfferedTrack] = []
        self._accepted = False              # the password was accepted once
        self.step = DialogueStep.OPTIONS
        self.tracks: list[OfferedTrack] = []       # complete while playing
        self.unknown_sound = ""             # the codec of requested sound that cannot be recorded
        self.over = False                   # the camera ended the session

    @property
    def playing(self) -> bool:
        return self.step is DialogueStep.PLAYING

    @property
    def proving(self) -> bool:
        """Whether the password was sent and the camera has not answered yet."""
        return self._asked is not None and self._asked.proved and not self._accepted

    @property
    def keep_alive_every_s(self) -> float:
        """Seconds between signs of life: half of the camera's timeout."""
        return min(max(self._timeout_s / 2, KEEP_ALIVE_LEAST_S), KEEP_ALIVE_MOST_S)

    def begin(self) -> bytes:
        return self._ask("OPTIONS", self._address.uri)

    def keep_alive(self) -> bytes:
        return self._ask("GET_PARAMETER" if self._knows_get else "OPTIONS", self._whole_uri)

    def farewell(self) -> bytes:
        return self._ask("TEARDOWN", self._whole_uri)

    def hear(self, heard: RtspAnswer | RtspRequest) -> bytes:
        """Handles a message. Returns the bytes to send now; b"" for none."""
        if isinstance(heard, RtspRequest):
            return self._answer_request(heard)
        asked = self._asked
        if asked is None or heard.number("cseq") not in (None, asked.number) or heard.status < 200:
            return b""
        self._asked = None
        if heard.status == 401 and (again := self._prove(asked, heard)):
            return again
        self._accepted |= asked.proved and heard.status < 300
        self._knows_get |= "GET_PARAMETER" in heard.header("public").upper()
        return AFTER[self.step](self, asked, heard)

    def _ask(self, method: str, uri: str, headers: Mapping[str, str] | None = None) -> bytes:
        return self._send(_SentRequest(0, method, uri, headers or {}, proved=False))

    def _send(self, asked: _SentRequest) -> bytes:
        self._asked_n += 1
        proof = self._login.authorization(asked.method, asked.uri)
        self._asked = replace(asked, number=self._asked_n, proved=proof is not None)
        lines = {"CSeq": str(self._asked_n), "User-Agent": "Taimat", **asked.headers}
        if self._session:
            lines["Session"] = self._session
        if proof is not None:
            lines["Authorization"] = proof
        return message.request(asked.method, asked.uri, lines)

    def _prove(self, asked: _SentRequest, refusal: RtspAnswer) -> bytes:
        known = self._login.challenged(refusal.every("www-authenticate"))
        if not known and self._login.given:
            raise UnfitStream("it asks for the password in a way that is not known here")
        hopeful = not asked.proved or self._login.stale or self._accepted
        if not (self._login.given and hopeful and asked.proofs_n < PROOFS_MAX):
            return b""
        return self._send(replace(asked, proofs_n=asked.proofs_n + 1))

    def _answer_request(self, request: RtspRequest) -> bytes:
        lines = {"CSeq": request.header("cseq")}
        if request.method not in (*UNDERSTOOD, *GOODBYES):
            return message.answer(501, "Not Implemented", lines)
        self.over |= request.method in GOODBYES
        return message.answer(200, "OK", lines)

    # The next step after an answer. A camera without OPTIONS may still work.

    def _after_options(self, asked: _SentRequest, answer: RtspAnswer) -> bytes:
        if answer.status == 401 and asked.proved:  # one wrong password is enough, because more of them lock people out
            raise RequestRefused(asked.method, answer.status)
        self.step = DialogueStep.DESCRIBE
        return self._ask("DESCRIBE", self._address.uri, {"Accept": "application/sdp"})

    def _after_describe(self, asked: _SentRequest, answer: RtspAnswer) -> bytes:
        if answer.status in (301, 302, 303, 305, 307, 308) and answer.header("location"):
            raise Moved(answer.header("location"))
        _check_success(asked, answer)
        description = sdp.read(answer.body)
        base = base_of(asked.uri, answer.header("content-base"), answer.header("content-location"))
        self._whole_uri = resolve(base, description.control)
        self._to_set_up = [video_of(description, base)]
        if self._audio:
            sound, self.unknown_sound = sound_of(description, base)
            self._to_set_up += [sound] if sound else []
        return self._set_up_next()

    def _set_up_next(self) -> bytes:
        self.step = DialogueStep.SETUP
        first = 2 * len(self.tracks)
        return self._ask("SETUP", self._to_set_up[0].uri,
                         {"Transport": f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"})

    def _after_setup(self, asked: _SentRequest, answer: RtspAnswer) -> bytes:
        _check_success(asked, answer)
        self._session = self._session or answer.header("session").partition(";")[0].strip()
        if found := SESSION_TIMEOUT.search(answer.header("session").lower()):
            self._timeout_s = float(found[1]) or TIMEOUT_S
        first = 2 * len(self.tracks)
        channel, control_channel = _channels(answer.header("transport"), first)
        self.tracks.append(replace(self._to_set_up.pop(0), channel=channel, control_channel=control_channel))
        if self._to_set_up:
            return self._set_up_next()
        self.step = DialogueStep.PLAY
        return self._ask("PLAY", self._whole_uri, {"Range": "npt=0.000-"})

    def _after_play(self, asked: _SentRequest, answer: RtspAnswer) -> bytes:
        _check_success(asked, answer)
        self.step = DialogueStep.PLAYING
        return b""

    def _while_playing(self, asked: _SentRequest, answer: RtspAnswer) -> bytes:
        """An answer to a sign of life. Its status matters less than the video."""
        if asked.method == "GET_PARAMETER" and answer.status >= 400:
            self._knows_get = False
        return b""


AFTER: dict[DialogueStep, Callable[[Dialogue, _SentRequest, RtspAnswer], bytes]] = {
    DialogueStep.OPTIONS: Dialogue._after_options,
    DialogueStep.DESCRIBE: Dialogue._after_describe,
    DialogueStep.SETUP: Dialogue._after_setup,
    DialogueStep.PLAY: Dialogue._after_play,
    DialogueStep.PLAYING: Dialogue._while_playing,
}
# Every reader would get these refusals; others may depend on our way to ask.
PLAIN_REFUSALS = {("DESCRIBE", 404), ("DESCRIBE", 403)}
PLAIN_STATUSES = (401, 453, 503)        # unauthorised; no more viewers; not now


def _check_success(asked: _SentRequest, answer: RtspAnswer) -> None:
    if answer.status < 300:
        return
    refused = RequestRefused(asked.method, answer.status)
    if answer.status in PLAIN_STATUSES or (asked.method, answer.status) in PLAIN_REFUSALS:
        raise refused
    raise UnfitStream(f"it {refused}")


def _channels(transport: str, first: int) -> tuple[int, int]:
    """Returns the channels of the packets: the camera's, or the requested ones if it names none. Raises UnfitStream."""
    if found := INTERLEAVED.search(transport.lower()):
        channel = int(found[1])
        channels = channel, int(found[2]) if found[2] else channel + 1
        if max(channels) > CHANNEL_MAX:
            raise UnfitStream(f"it sends on channel {max(channels)}")
        return channels
    if transport and "tcp" not in transport.lower():
        raise UnfitStream("it does not send over TCP")
    return first, first + 1
