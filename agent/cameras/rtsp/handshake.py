"""Opens a camera: the dialogue over a connection, until it plays; and what may go wrong, in plain words."""
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from agent.cameras import SourceError
from agent.cameras.rtsp.connect import CameraConnection
from agent.cameras.rtsp.pins import CertificateChanged, CertificatePins
from agent.core.protocols.rtsp.address import Address, parse
from agent.core.protocols.rtsp.dialogue import Dialogue, Moved, RequestRefused
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspAnswer, RtspInbox
from agent.host.stop import Stop

WHOLE_S = 8.0           # for all of it: a camera that is back must be recorded within 15 s
ANSWER_S = 4.0          # for one answer
MESSAGES_MAX_N = 64     # of one connection until it plays: two tracks, each request refused twice, need 15
BYTES_MAX = 8_000_000   # the same, including video that comes early


class NeverPlays(Exception):
    """The camera sends messages without end, but does not play."""


class RedirectRefused(Exception):
    """The camera redirects us where its password must not go; no other reader may follow either."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A camera that plays. `early` is video that came before or just behind its last answer."""

    line: CameraConnection
    dialogue: Dialogue
    early: bytes


def open_camera(address: Address, audio: bool, stop: Stop, now: Callable[[], float],
                pins: CertificatePins | None = None) -> Opened:
    """Connects and talks until the camera plays. Raises OSError, ConnectStopped, CertificateChanged, NeverPlays,
    RedirectRefused, and the errors of Dialogue and RtspInbox."""
    until_mono_s = now() + WHOLE_S
    login = Login(address.user, address.password, secrets.token_hex(8))
    moved = hung_up = False
    while True:
        line, dialogue = CameraConnection(address, stop, until_mono_s, now, pins), Dialogue(address, login, audio)
        try:
            early = _talk(line, dialogue, now)
            if pins is not None and line.certificate:
                pins.learn(address, line.certificate)
            return Opened(line, dialogue, early)
        except BaseException as error:
            line.socket.close()
            if isinstance(error, Moved):
                if moved:
                    raise RedirectRefused("redirects us again and again") from None
                address, moved = _moved(address, error.url), True
            elif isinstance(error, ConnectionError) and dialogue.proving and not hung_up:
                hung_up = True          # some close after "who are you?"; the next connection begins with the answer
            else:
                raise


def _talk(line: CameraConnection, dialogue: Dialogue, now: Callable[[], float]) -> bytes:
    inbox, messages_n, came_b = RtspInbox(), 0, 0
    answered_by_mono_s = now() + ANSWER_S
    line.send(dialogue.begin(), answered_by_mono_s)
    while not dialogue.playing:
        data = line.receive(answered_by_mono_s)
        if not data:
            raise ConnectionResetError
        came_b += len(data)
        if came_b > BYTES_MAX:
            raise NeverPlays
        inbox.feed(data)
        for message in inbox.messages():
            messages_n += 1
            if messages_n > MESSAGES_MAX_N:
                raise NeverPlays
            if reply := dialogue.hear(message):
                if isinstance(message, RtspAnswer):     # a camera's own questions give it no more time
                    answered_by_mono_s = now() + ANSWER_S
                line.send(reply, answered_by_mono_s)
            if dialogue.playing:
                break
    return inbox.rest()


def _moved(address: Address, url: str) -> Address:
    """The new address; the password goes to no other host. Raises RedirectRefused."""
    try:
        new = parse(url)
    except ValueError:
        raise RedirectRefused("redirects us to something that is not an address") from None
    if new.host != address.host or address.tls and not new.tls:
        raise RedirectRefused("redirects us to another host")
    return Address(new.host, new.port, new.tls, new.uri, address.user, password=address.password)


REFUSALS = {
    401: ("camera_auth", "the camera refuses the user name or password", "correct them in the source's address"),
    403: ("camera_auth", "the camera does not let this user see the stream", "give it the right in the camera's menu"),
    404: ("camera_not_found", "the camera has no stream under this path", "its manual names the right one"),
    453: ("camera_unreachable", "the camera has no more bandwidth", "fewer viewers, or a lower bitrate"),
    503: ("camera_unreachable", "the camera is busy", "are there too many viewers?"),
}


def in_plain_words(error: Exception, name: str, host: str) -> SourceError | None:
    """Returns the error for people; None if it is unknown. `name` is the address without its password."""
    match error:
        case SourceError():
            return error
        case RequestRefused():
            code, what, remedy = REFUSALS[error.status]
            return SourceError(code, f"{name}: {what}", remedy)
        case RedirectRefused():
            return SourceError("camera_stream_bad", f"{name}: {error}, and we don't follow",
                               "if the camera has a new address, enter that")
        case NeverPlays():
            return SourceError("camera_stream_bad", f"{name}: talks without end and sends no video",
                               "is it a camera? If so, restart it")
        case CertificateChanged():
            return SourceError("camera_certificate", f"{name}: {error}",
                               f"if the camera was replaced or reset, remove {error.path}; "
                               "if not, something else may answer in its place")
        case ConnectionRefusedError():
            return _unreachable(name, host, "refuses the connection", "is it a camera, and is RTSP on?")
        case ConnectionError():
            return _unreachable(name, host, "closed the connection", "it may be restarting")
        case TimeoutError():
            return _unreachable(name, host, "does not answer", "check its power and network")
        case OSError():
            return _unreachable(name, host, f"can't be reached ({error.strerror or type(error).__name__})",
                                "check the camera's power, address and network")
    return None


def _unreachable(name: str, host: str, what: str, remedy: str) -> SourceError:
    return SourceError("camera_unreachable", f"{name}: {host} {what}", remedy)
