"""The `source` string of a camera: a scheme, and the place."""
import re
from dataclasses import dataclass

from agent.core.protocols.rtsp import address

FORMS = 'rtsp://user:password@address/path, file:/path/to/video.mp4, v4l2:/dev/v4l/by-id/NAME or picamera:0'
NETWORK = ("rtsp", "rtsps")
RAW = ("v4l2", "picamera")      # we encode the picture, so we can paint masks into it

HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?\Z")       # an address without its scheme

# The devices that may be a camera.
ON_BOARD = re.compile(r"(picamera:\d|v4l2:/dev/(video\d{1,3}|v4l/by-(id|path)/[\w:.+@,=-]{1,200}))\Z")


@dataclass(frozen=True, slots=True)
class SourceSpec:
    scheme: str     # rtsp | rtsps | file | v4l2 | picamera
    target: str     # the whole URL, a path, a device node, or a camera number


def is_on_board(source: str) -> bool:
    """Whether it is a camera of this machine, and not another device."""
    return ON_BOARD.match(source) is not None


def parse_source(text: str) -> SourceSpec:
    """Parses a `source` string. Raises ValueError that says what is wrong, or which forms are accepted."""
    scheme, colon, target = text.partition(":")
    if slip := _slip(text, scheme):
        raise ValueError(slip)
    if scheme in NETWORK:
        if fault := address.login_fault(text):
            raise ValueError(fault)
        try:
            address.parse(text)
        except ValueError:
            raise ValueError(f"takes an address after {scheme}://, as in {FORMS}") from None
        return SourceSpec(scheme, text)
    if not colon or not target:
        raise ValueError(f"takes {FORMS}")
    if scheme == "picamera" and not target.isdecimal():
        raise ValueError("takes the camera's number, as in picamera:0 (rpicam-hello --list-cameras shows them)")
    if scheme == "v4l2" and not target.startswith("/dev/"):
        raise ValueError("takes a device, as in v4l2:/dev/v4l/by-id/NAME (ls /dev/v4l/by-id)")
    if scheme not in ("file", *RAW):
        raise ValueError(f"takes {FORMS}")
    return SourceSpec(scheme, target)


def _slip(text: str, scheme: str) -> str | None:
    """What is wrong with a source that people write by mistake; None if it is not one of these."""
    if text != text.strip():
        return "has a space before or after it: remove that"
    if scheme != scheme.lower() and scheme.lower() in (*NETWORK, "file", *RAW):
        return f"begins with {scheme}: in small letters, write {scheme.lower()}:"
    if text.startswith("/dev/"):
        return "takes v4l2: before a device: v4l2:/dev/v4l/by-id/NAME (ls /dev/v4l/by-id shows the names)"
    if text.startswith("/"):
        return "takes file: before the path of a video"
    if scheme.lower() in ("http", "https", "onvif"):
        return (f"can't be an {scheme}:// address: video comes by rtsp://; taimat discover shows the addresses of the "
                "cameras in this network")
    if HOST.match(text):
        return ("takes rtsp:// before an address and the path behind it: taimat discover shows both for the cameras in "
                "this network")
    return None
