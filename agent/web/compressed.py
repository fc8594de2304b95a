"""Text answers compressed for browsers that take it. Pictures and video are compressed already, and are left alone.

An answer's length tells of what is in it, which an attacker could use who has a browser send requests (BREACH). None of
another site's can: our cookie is SameSite=Strict, and without it every address is the pairing form.
"""
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEXTS = ("text/html", "text/css", "text/javascript", "application/json", "application/manifest+json", "image/svg+xml")
LEAST_B = 700               # below, nothing is won
LEVEL = 6


class CompressMiddleware:
    """Compresses text answers that come in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        takes = scope["type"] == "http" and "gzip" in Headers(scope=scope).get("accept-encoding", "")
        await self._app(scope, receive, _compressing(send) if takes else send)


def _compressing(send: Send) -> Send:
    """Holds the begin of a text answer back until its body is here."""
    begin: Message | None = None

    async def compressed(message: Message) -> None:
        nonlocal begin
        if message["type"] == "http.response.start" and _is_text(message):
            begin = message
            return
        if begin is not None:
            body = message.get("body", b"")
            headers = MutableHeaders(scope=begin)
            headers.add_vary_header("accept-encoding")
            if not message.get("more_body") and len(body) >= LEAST_B:
                body = gzip.compress(body, LEVEL, mtime=0)
                headers["content-encoding"], headers["content-length"] = "gzip", str(len(body))
                message = {**message, "body": body}
            start, begin = begin, None
            await send(start)
        await send(message)

    return compressed


def _is_text(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return headers.get("content-type", "").partition(";")[0] in TEXTS and "content-encoding" not in headers
