"""Parses a camera's URL, separates the password from it, and resolves the addresses of its streams. Pure."""
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from agent.core.passwords import MASK

PORTS = {"rtsp": 554, "rtsps": 322}         # RFC 2326 §3.2; IANA's registry for rtsps
NO_ADDRESS = "is not an rtsp:// or rtsps:// address"
# All characters that a request line can carry. Cameras compare addresses letter by letter, so nothing else is changed.
PLAIN = "".join(map(chr, range(0x21, 0x7F)))
# A user name or password with one of these ends too early, unless it is percent-encoded.
ENDS = re.compile(r"([@#?/\[\]])")
CLEAR_HOST = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F]*(:[0-9a-fA-F.%]*){2,}\]|localhost)(:\d+)?\Z")
LIKELY_HOST = re.compile(rf"{CLEAR_HOST.pattern}|[\w-]+(\.[\w-]+)+(:\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """One camera's stream. `uri` is for request lines: the URL without user and password."""

    host: str
    port: int
    tls: bool
    uri: str
    user: str
    password: str = field(repr=False)


def parse(url: str) -> Address:
    """Parses an rtsp or rtsps URL. Raises ValueError for any other text, without any part of it in the message."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(NO_ADDRESS) from None      # the original message may contain the password
    if parts.scheme not in PORTS or not parts.hostname or parts.netloc not in url:
        raise ValueError(NO_ADDRESS)
    login, _, place = parts.netloc.rpartition("@")
    rest = url[url.index(parts.netloc) + len(parts.netloc):].partition("#")[0]
    user, _, password = (unquote(part) for part in login.partition(":"))
    if any(letter < " " for letter in user + password):
        raise ValueError(NO_ADDRESS)        # otherwise the user's name would end a header's line
    return Address(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "rtsps",
                   quote(f"{parts.scheme}://{place}{rest}", PLAIN), user, password=password)


def login_fault(url: str) -> str | None:
    """Returns the mistake and the right spelling if a user name or password ends too early; None if not. An @ after the
    first slash belongs to the path only if the host before it cannot be part of a password. The password is masked."""
    rest = url.partition("://")[2]
    start = re.split("[/?#]", rest, maxsplit=1)[0]
    login, _, place = start.rpartition("@")
    clear, path = CLEAR_HOST.match(place), rest[len(start):]
    belongs = clear or ":" not in start if path.startswith("/") else clear and not login
    if not ENDS.search(login) and ("@" not in path or belongs):
        return None
    ends = [found.end() for found in re.finditer("@", rest)]
    hosts = [re.split("[/?#]", rest[end:], maxsplit=1)[0] for end in ends]
    last = max((number for number, host in enumerate(hosts) if LIKELY_HOST.match(host)), default=-1)
    user, colon, password = rest[:ends[last] - 1].partition(":")
    written = "".join(quote(part, safe="") if ENDS.match(part) else MASK for part in ENDS.split(password) if part)
    rule = " and ".join(f"{sign} as {quote(sign, safe='')}" for sign in dict.fromkeys(ENDS.findall(user + password)))
    in_path = " (or, if this @ belongs to the path, write it as %40)" if path.startswith("/") else ""
    return (f"has a sign in its user name or password that ends it too early: write {rule}, so that it begins with "
            f"{quote(user, safe='')}{colon}{written}@{hosts[last]}{in_path}")


def resolve(base: str, control: str) -> str:
    """Returns the address of a description's `control`. Cameras expect the two joined as text (their queries stay in
    the middle), not by the rules for web pages."""
    if control in ("", "*"):
        return base
    if control.lower().startswith(("rtsp://", "rtsps://")):
        return control
    if control.startswith("?"):
        return base + control
    return f"{base.removesuffix('/')}/{control.removeprefix('/')}"


def base_of(uri: str, content_base: str, content_location: str) -> str:
    """Returns the base of relative addresses: the camera's own if it is an address, else the requested one."""
    for said in (content_base, content_location):
        if said.lower().startswith(("rtsp://", "rtsps://")) and not any(letter <= " " for letter in said):
            return said
    return uri
