"""Where a camera is: its URL taken apart, the password out of it; and where its streams are. Pure."""
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

PORTS = {"rtsp": 554, "rtsps": 322}         # RFC 2326 §3.2; IANA's registry for rtsps
NO_ADDRESS = "is no rtsp:// or rtsps:// address"
# All that a request line can carry as it is: cameras compare addresses letter by letter, so nothing else is changed.
PLAIN = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Address:
    """One camera's stream. `uri` is what request lines say: the URL without user and password."""

    host: str
    port: int
    tls: bool
    uri: str
    user: str
    password: str = field(repr=False)


def parse(url: str) -> Address:
    """Take an rtsp or rtsps URL apart. Raises ValueError for anything else, without a part of it in the text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(NO_ADDRESS) from None      # the original's text may hold the password
    if parts.scheme not in PORTS or not parts.hostname or parts.netloc not in url:
        raise ValueError(NO_ADDRESS)
    login, _, place = parts.netloc.rpartition("@")
    rest = url[url.index(parts.netloc) + len(parts.netloc):].partition("#")[0]
    user, _, password = (unquote(part) for part in login.partition(":"))
    if any(letter < " " for letter in user + password):
        raise ValueError(NO_ADDRESS)        # or the user's name would end a header's line
    return Address(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "rtsps",
                   quote(f"{parts.scheme}://{place}{rest}", PLAIN),
                   user, password)


def resolve(base: str, control: str) -> str:
    """The address of what a description calls `control`.

    Cameras expect the two put together as text (their queries stay in the middle), not by the rules for web pages.
    """
    if control in ("", "*"):
        return base
    if control.lower().startswith(("rtsp://", "rtsps://")):
        return control
    if control.startswith("?"):
        return base + control
    return f"{base.removesuffix('/')}/{control.removeprefix('/')}"


def base_of(uri: str, content_base: str, content_location: str) -> str:
    """The start of relative addresses: the camera's own, if it is an address, else the one it was asked for."""
    for said in (content_base, content_location):
        if said.lower().startswith(("rtsp://", "rtsps://")) and not any(letter <= " " for letter in said):
            return said
    return uri
