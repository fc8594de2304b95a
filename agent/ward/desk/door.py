"""The desk's door: officers alone, and of what they send only the desk's own forms.

It stands around the whole application, so no address can be forgotten.
"""
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.look.guard import guarded, is_own_form
from agent.ward.desk.officer import officer
from agent.ward.proxied import CERTIFICATE

STATIC = "/static/"         # what the refusal is drawn with


class DeskDoor:
    """Around the whole page; handlers find the `officer` in the request's state."""

    def __init__(self, app: ASGIApp, refused: Callable[[Request], Response]) -> None:
        """`refused` makes the answer to whoever is no officer."""
        self._app, self._refused = app, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await (self._refusal(scope) or self._app)(scope, receive, guarded(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        found = scope.setdefault("state", {})["officer"] = officer(headers.getlist(CERTIFICATE))
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Method not allowed\n", 405, {"allow": "GET, HEAD, POST"})
        if found is None and not scope["path"].startswith(STATIC):
            return self._refused(Request(scope))
        if scope["method"] == "POST" and not is_own_form(headers):
            return PlainTextResponse("Refused: this form was not sent by the desk's own page\n", 403)
        return None
