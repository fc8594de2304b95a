"""Compresses text answers for browsers that accept it. Pictures and video are compressed already.

An answer's length tells of its content, which an attacker could use who makes a browser send requests (BREACH). No
other site can: our cookie is SameSite=Strict, and without it every address is the pairing form.
"""
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

TEXTS = ("text/html", "text/css", "text/javascript", "application/json", "application/manifest+json", "image/svg+xml")
LEAST_B = 700               # below, nothing is won
LEVEL = 6


def compressing(send: Send) -> Send:
    """Holds the start of a text answer until its body comes, then compresses an answer of one piece."""
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
