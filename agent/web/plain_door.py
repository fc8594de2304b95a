"""Port 80: whoever comes there is led to the encrypted page.

A browser that has never been there is told first what it is going to warn of: a family that meets a red warning as the
very first thing turns back. Nothing else is answered here, and nothing of this recorder is told.
"""
from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.host.address import USUAL_PORTS
from agent.look.guard import guarded, host_name
from agent.web.access import OPEN_STATIC

SEEN = "seen"               # the cookie of a browser that has been at the encrypted page; it says nothing else


class PlainDoor:
    """Around the whole page."""

    def __init__(self, app: ASGIApp, led_port: int, port: int,
                 announce: Callable[[Request, str], Response]) -> None:
        """Who comes to `led_port` is led to `port`; `announce` makes the answer that tells of the warning."""
        self._app, self._led_port, self._port, self._announce = app, led_port, port, announce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        is_led = scope["type"] == "http" and scope["server"][1] == self._led_port
        if not is_led or scope["path"] in OPEN_STATIC:
            await self._app(scope, receive, send)
        else:
            await self._answer(scope)(scope, receive, guarded(send))

    def _answer(self, scope: Scope) -> Response:
        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        if name is None:
            return PlainTextResponse("Bad Host header\n", 400)
        there = f"{encrypted_address(name, self._port)}{wanted(scope)}"
        knows = SEEN in cookie_parser(headers.get("cookie", "")) or scope["scheme"] == "https"
        if knows or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            return RedirectResponse(there, 308)
        return self._announce(Request(scope), there)


def encrypted_address(name: str, port: int) -> str:
    """The encrypted page of the host called `name`, an IPv6 address among them."""
    return f"https://{f'[{name}]' if ':' in name else name}{'' if port == USUAL_PORTS['https'] else f':{port}'}"


def wanted(scope: Scope) -> str:
    """Path and query of a request, as they stand in an address."""
    query = scope["query_string"].decode("ascii", "replace")
    return quote(scope["path"]) + (f"?{query}" if query else "")
