"""Access: which requests need no pairing, which are sent to /pair, which are an owner's; the headers of every answer.
"""
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.host.address import is_loopback_address
from agent.look.guard import guarded, host_name, is_own_form
from agent.web.browsers import Browsers, KeeperSilent

COOKIE = "taimat"
# What a browser may see before it is paired: the form, and what it is drawn with.
OPEN_STATIC = ("/static/page.css", "/static/label.js", "/static/mark.svg", "/static/icon.png",
               "/static/icon-192.png", "/static/icon-512.png")
OPEN_PATHS = ("/pair", *OPEN_STATIC)
OPEN_BELOW = ("/enter/",)
# What is an owner's: these pages, and every form. The keeper refuses a viewer's word in any case; we say so sooner.
OWNERS_BELOW = ("/browsers", "/cameras", "/handout", "/recordings/kept", "/requests", "/settings", "/setup",
                "/sharing/")
VIEWERS_FORMS = ("/recordings/seen", "/preview/")       # how the addresses begin to which a viewer may send one
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via", "cf-connecting-ip")


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine itself; any other name that leads here is a DNS attack."""
    name = host_name(host) or ""
    return name == "localhost" or is_loopback_address(name)


def is_local(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether the browser runs on the device itself: by its address, by the host it asked for, without a proxy."""
    return (is_loopback_address(_peer(scope)) and is_loopback_name(headers.get("host", ""))
            and not any(name in headers for name in FORWARDED))


def _peer(scope: Scope) -> str:
    return (scope.get("client") or ("", 0))[0]


AnswerPage = Callable[[Request], Awaitable[Response]]


class AccessMiddleware:
    """Lets a request through to the page, or answers it itself."""

    def __init__(self, app: ASGIApp, browsers: Browsers, silent: AnswerPage, owners_only: AnswerPage,
                 hear: Callable[[], None], *, only_local: bool, encrypts: bool) -> None:
        """`only_local`: the page listens on loopback, so that a request that is not local is an attack.

        `silent` makes the answer to a browser of which nobody can say now whether it is paired, `owners_only` that to a
        viewer who asks for more. `hear` is called before anything is decided: somebody may be paired no more.
        `encrypts`: plain HTTP is for this machine alone.
        """
        self._app, self._browsers, self._silent, self._owners_only = app, browsers, silent, owners_only
        self._hear, self._only_local, self._encrypts = hear, only_local, encrypts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._hear()
        headers = Headers(scope=scope)
        token = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        scope.setdefault("state", {})["is_owner"] = self._browsers.is_owner(token)
        is_open = scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_BELOW)
        answer = self._refusal(scope, headers) or (None if is_open else await self._unpaired(scope, headers, token))
        keeps = None if is_open else self._browsers.keeps(token)
        await (answer or self._app)(scope, receive, guarded(send, keeps))

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """The answer to a request that no browser of ours sends."""
        if host_name(headers.get("host", "")) is None:
            return PlainTextResponse("Bad Host header\n", 400)
        if self._only_local and not is_local(scope, headers):
            return PlainTextResponse("This page is for this machine alone: open it as http://localhost\n", 421)
        if self._encrypts and scope["scheme"] == "http" and not is_loopback_address(_peer(scope)):
            return RedirectResponse(f"https://{headers['host']}{quote(scope['path'])}", 303)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Method not allowed\n", 405, {"allow": "GET, HEAD, POST"})
        if scope["method"] == "POST" and not is_own_form(headers):
            return PlainTextResponse("Refused: this form was not sent by the recorder's own page\n", 403)
        return None

    async def _viewers(self, scope: Scope, is_owner: bool) -> ASGIApp | None:
        """The answer to a viewer who asks for what is an owner's; handlers find `is_owner` in the request's state."""
        scope.setdefault("state", {})["is_owner"] = is_owner
        path = scope["path"]
        free = scope["method"] != "POST" and not path.startswith(OWNERS_BELOW) or path.startswith(VIEWERS_FORMS)
        return None if is_owner or free else await self._owners_only(Request(scope))

    async def _unpaired(self, scope: Scope, headers: Headers, token: str) -> ASGIApp | None:
        """The answer to a browser that is not paired, or not for this."""
        is_page = "text/html" in headers.get("accept", "")
        try:
            if token and await self._browsers.knows(token):
                return await self._viewers(scope, self._browsers.is_owner(token))
        except KeeperSilent:
            later = PlainTextResponse("The recorder can't say now who is paired\n", 503, {"retry-after": "10"})
            return await self._silent(Request(scope)) if is_page else later
        if is_page:
            return RedirectResponse(f"/pair?next={quote(scope['path'], safe='')}", 303)
        return PlainTextResponse("Pair this browser first, at /pair\n", 401)
