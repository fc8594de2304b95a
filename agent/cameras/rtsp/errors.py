"""Describes problems with a camera as one clear line with a remedy and without the password."""
from agent.cameras import SourceError
from agent.cameras.rtsp.handshake import NeverPlays, RedirectRefused
from agent.cameras.rtsp.pins import CertificateChanged
from agent.core.protocols.rtsp.dialogue import RequestRefused

REFUSALS = {
    401: ("camera_auth", "the camera refuses the user name or password", "correct them in the source's address"),
    403: ("camera_auth", "the camera does not let this user see the stream", "give it the right in the camera's menu"),
    404: ("camera_not_found", "the camera has no stream under this path", "its manual tells the right one"),
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
