"""What guards a page in a browser: the headers of every answer, and whose forms are taken."""
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

# 'self' alone: no script or style inside a page, none from elsewhere, no page of ours inside another one. Media Source
# streams have blob: addresses. The referrer stays within the page; without any, browsers would send "Origin: null" with
# our own forms, and we could not tell them from a stranger's.
SECURITY = {
    "content-security-policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case and without the port; None when it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_own_form(headers: Mapping[str, str]) -> bool:
    """Whether a POST comes from a page of ours. Browsers say so; a request that does not is refused."""
    if "sec-fetch-site" in headers and headers["sec-fetch-site"] != "same-origin":
        return False
    scheme, _, origin = headers.get("origin", "").partition("://")
    return scheme in ("http", "https") and origin.lower() == headers.get("host", "").lower()


def guarded(send: Send, keeps: Callable[[], bool] | None = None) -> Send:
    """Adds SECURITY to every answer, and no-store unless the answer itself speaks of caching.

    A long answer ends with an OSError where its browser is paired no more.
    """
    async def checked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY)
            headers.setdefault("cache-control", "no-store")
        elif keeps is not None and message.get("more_body") and not keeps():
            raise ConnectionAbortedError("this browser is paired no more")
        await send(message)
    return checked
