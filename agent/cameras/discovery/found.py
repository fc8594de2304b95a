"""A camera that was found, its streams, and the account for it."""
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from agent.core import passwords

PLACEHOLDER = "PASSWORD"
URL_MAX_N = 1000
# A password that a camera wants within the path, up to the next key.
IN_PATH = re.compile(rf"(?i)({passwords.KEY})(?:(?!_[a-z]+=)[^&?/])+")
NO_SUB = "has no small stream: switch its second stream on (H.264, about 640x360)"


@dataclass(frozen=True, slots=True)
class CameraAccount:
    """The user and password to try at every camera."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Lead:
    address: str
    services: tuple[str, ...] = ()      # where its ONVIF device service may be
    ports: tuple[int, ...] = ()         # where RTSP may be
    maker: str = ""
    model: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class FoundStream:
    """One stream; unknown values are 0 or ""."""

    url: str                # without user and password
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera, or an address that may be one: `main` is None if no stream was found."""

    address: str
    maker: str = ""
    model: str = ""
    name: str = ""                      # that the household gave it in the camera
    channel: int = 0                    # of a recorder with several cameras, from 1
    main: FoundStream | None = None
    sub: FoundStream | None = None
    locked: bool = False                # its streams need a login
    ready: bool = False                 # its main stream answers
    advice: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return " ".join(filter(None, (self.maker, self.model)))

    @property
    def beside(self) -> str:
        """Returns an addition to its name that distinguishes cameras of one recorder; "" for a single camera."""
        return f", channel {self.channel}" if self.channel else ""

    def with_advice(self, *advice: str) -> "FoundCamera":
        """Returns the camera with more advice."""
        return replace(self, advice=self.advice + advice)


def moved(url: str, address: str, schemes: tuple[str, ...]) -> str:
    """Returns a camera's URL with the address at which we reached it; "" if the URL is not usable. Cameras report their
    addresses in other networks, and a hostile one could report any. The password goes only to the machine that we
    asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= URL_MAX_N
    if not plain or parts.scheme not in schemes or not parts.hostname:
        return ""
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=host if port is None else f"{host}:{port}", fragment="").geturl()


def with_login(url: str, user: str, password: str) -> str:
    """Returns the URL with user and password, as in `source`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def without_password(url: str) -> str:
    """Returns the URL with a placeholder for a password that the camera itself put into the path."""
    return IN_PATH.sub(rf"\1{PLACEHOLDER}", url)
