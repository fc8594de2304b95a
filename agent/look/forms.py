"""Reads forms and addresses from a browser: fields, numbers, and the next page."""
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Send

FORM_B_MAX = 4096
DIGITS_N_MAX = 18           # SQLite can hold these, and no row's number is near
OWN_PATH = re.compile(r"/(?!/)[\w./-]*", re.ASCII)     # never another site's
# Only 'self': no script or style inside a page or from elsewhere, and no page of ours in a frame. Media Source streams
# have blob: addresses. The referrer stays within the page; without a referrer, browsers would send "Origin: null" with
# our own forms, which then look like a stranger's.
SECURITY = {
    "content-security-policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


async def read_form(request: Request, largest_b: int = FORM_B_MAX) -> dict[str, str] | None:
    """Returns the first field of each name; None for more than `largest_b` or an incomplete form."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > largest_b:
                return None
    except ClientDisconnect:
        return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def title_of(text: str) -> str:
    """Returns a title without spaces at its ends and without invisible characters."""
    return " ".join("".join(letter for letter in text if letter.isprintable() or letter.isspace()).split())


def own_path(wanted: str) -> str:
    """Returns `wanted` if it is an address on this page, else "/"."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"


def number(text: str | None) -> int | None:
    """Returns a positive number; None if the text is not one. Raises HTTPException (404) above DIGITS_N_MAX digits."""
    if not text or not text.isascii() or not text.isdecimal():
        return None
    if len(text) > DIGITS_N_MAX:
        raise HTTPException(404)
    return int(text)


def host_name(host: str) -> str | None:
    """Returns the name in a Host header, in lower case and without the port; None if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_own_form(headers: Mapping[str, str]) -> bool:
    """Whether a POST comes from a page of ours. Browsers say so; other requests are refused."""
    if "sec-fetch-site" in headers and headers["sec-fetch-site"] != "same-origin":
        return False
    scheme, _, origin = headers.get("origin", "").partition("://")
    return scheme in ("http", "https") and origin.lower() == headers.get("host", "").lower()


def guarded(send: Send, keeps: Callable[[], bool] | None = None) -> Send:
    """Adds SECURITY and no-store to answers; ends a long one with OSError if its browser is no longer paired."""
    async def checked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY)
            headers.setdefault("cache-control", "no-store")
        elif keeps is not None and message.get("more_body") and not keeps():
            raise ConnectionAbortedError("this browser is no longer paired")
        await send(message)
    return checked
