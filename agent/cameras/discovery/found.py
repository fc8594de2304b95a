"""A camera that was found, its streams, and the account that it is asked with."""
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
    """The user and the password that every camera is tried with."""

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
    """One stream; what is not known is 0 or ""."""

    url: str                # without user and password
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One camera, or what may be one: `main` is None where no stream was to be had."""

    address: str
    maker: str = ""
    model: str = ""
    name: str = ""                      # as the household called it in the camera
    channel: int = 0                    # of a machine that has several, from 1
    main: FoundStream | None = None
    sub: FoundStream | None = None
    locked: bool = False                # its streams ask for the account
    ready: bool = False                 # the main stream was seen to be there
    advice: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return " ".join(filter(None, (self.maker, self.model)))

    @property
    def beside(self) -> str:
        """What tells it from others in the same machine, to stand behind its name; "" where it is alone."""
        return f", channel {self.channel}" if self.channel else ""

    def with_advice(self, *advice: str) -> "FoundCamera":
        """The camera with more advice."""
        return replace(self, advice=self.advice + advice)


def moved(url: str, address: str, schemes: tuple[str, ...]) -> str:
    """A URL that a camera told, at the address where it was really reached; "" for none that can be used.

    Cameras tell addresses of other networks that they are in, and a liar could tell any: the password goes only to
    the machine that was asked.
    """
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
    """The URL with user and password in it, as a `source` takes it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def without_password(url: str) -> str:
    """The URL with a placeholder for a password that the camera itself put into its path."""
    return IN_PATH.sub(rf"\1{PLACEHOLDER}", url)
