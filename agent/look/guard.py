"""Protects a page in a browser: the headers of every answer, and which forms are accepted."""
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

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
            raise ConnectionAbortedError("this browser is paired no more")
        await send(message)
    return checked
