"""Access: which requests need no pairing, which are sent to /pair, and which only owners may make."""
import gzip
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.host.address import USUAL_PORTS, is_loopback_address
from agent.look.forms import guarded, host_name, is_own_form
from agent.web.server.browsers import Browsers, KeeperSilent

COOKIE = "taimat"
# What a browser may see before it is paired: the form and its files.
OPEN_STATIC = ("/static/page.css", "/static/label.js", "/static/mark.svg", "/static/icon.png",
               "/static/icon-192.png", "/static/icon-512.png")
OPEN_PATHS = ("/pair", *OPEN_STATIC)
OPEN_BELOW = ("/enter/",)
# Only owners may open these pages and send forms. The keeper refuses a viewer in any case; the page says so sooner.
OWNERS_BELOW = ("/browsers", "/cameras", "/handout", "/recordings/kept", "/requests", "/settings", "/setup",
                "/sharing/")
VIEWERS_FORMS = ("/recordings/seen", "/preview/")       # the beginnings of addresses to which a viewer may send a form
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via", "cf-connecting-ip")
SEEN = "seen"               # the cookie of a browser that has opened the encrypted page; it says nothing else
TEXTS = ("text/html", "text/css", "text/javascript", "application/json", "application/manifest+json", "image/svg+xml")
COMPRESSED_B_MIN, LEVEL = 700, 6        # a shorter answer gains nothing


def token_of(request: Request) -> str:
    """Returns the browser's token from its cookie; "" without a cookie."""
    return request.cookies.get(COOKIE, "")


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine. Any other name that leads here is a DNS attack."""
    name = host_name(host) or ""
    return name == "localhost" or is_loopback_address(name)


AnswerPage = Callable[..., Awaitable[Response]]


class AccessMiddleware:
    """Lets a request through to the page, or answers it itself."""

    def __init__(self, app: ASGIApp, browsers: Browsers, silent: AnswerPage, owners_only: AnswerPage,
                 hear: Callable[[], None], *, only_local: bool, encrypts: bool) -> None:
        """`only_local`: the page listens on loopback, so a request from elsewhere is an attack.

        `silent` answers a browser while the keeper can't say whether it is paired; `owners_only` answers a viewer that
        asks for more. `hear` is called before each decision, because a browser may have been unpaired. `encrypts`: only
        this machine may use plain HTTP.
        """
        self._app, self._browsers, self._silent, self._owners_only = app, browsers, silent, owners_only
        self._hear, self._only_local, self._encrypts = hear, only_local, encrypts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        packed = compressing(send) if "gzip" in headers.get("accept-encoding", "") else send
        await (answer or self._app)(scope, receive, guarded(packed, keeps))

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        if host_name(headers.get("host", "")) is None:
            return PlainTextResponse("Bad Host header\n", 400)
        is_near = is_loopback_address((scope.get("client") or ("", 0))[0])
        came_by_proxy = any(name in headers for name in FORWARDED)
        if self._only_local and (came_by_proxy or not is_near or not is_loopback_name(headers.get("host", ""))):
            return PlainTextResponse("This page is for this machine alone: open it as http://localhost\n", 421)
        if self._encrypts and scope["scheme"] == "http" and not is_near:
            return RedirectResponse(f"https://{headers['host']}{quote(scope['path'])}", 303)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Method not allowed\n", 405, {"allow": "GET, HEAD, POST"})
        if scope["method"] == "POST" and not is_own_form(headers):
            return PlainTextResponse("Refused: this form was not sent by the recorder's own page\n", 403)
        return None

    async def _unpaired(self, scope: Scope, headers: Headers, token: str) -> ASGIApp | None:
        is_page = "text/html" in headers.get("accept", "")
        try:
            if token and await self._browsers.knows(token):
                path, is_owner = scope["path"], self._browsers.is_owner(token)
                scope["state"]["is_owner"] = is_owner           # for handlers and templates
                looks = scope["method"] != "POST" and not path.startswith(OWNERS_BELOW)
                free = is_owner or looks or path.startswith(VIEWERS_FORMS)
                return None if free else await self._owners_only(Request(scope))
        except KeeperSilent:
            later = PlainTextResponse("The recorder can't say now who is paired\n", 503, {"retry-after": "10"})
            return await self._silent(Request(scope)) if is_page else later
        if is_page:
            return RedirectResponse(f"/pair?next={quote(scope['path'], safe='')}", 303)
        return PlainTextResponse("Pair this browser first, at /pair\n", 401)


class PlainDoor:
    """Leads visitors of the plain HTTP port to the encrypted page."""

    def __init__(self, app: ASGIApp, led_port: int, port: int,
                 announce: Callable[[Request, str], Response]) -> None:
        """A visitor of `led_port` is led to `port`; `announce` makes the page about the browser's warning."""
        self._app, self._led_port, self._port, self._announce = app, led_port, port, announce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
    """Returns the address of the encrypted page at host `name`, which may be an IPv6 address."""
    return f"https://{f'[{name}]' if ':' in name else name}{'' if port == USUAL_PORTS['https'] else f':{port}'}"


def wanted(scope: Scope) -> str:
    query = scope["query_string"].decode("ascii", "replace")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def compressing(send: Send) -> Send:
    """Holds the start of a text answer until its body comes, then compresses an answer of one piece.

    Pictures and video are compressed already. The length of a compressed answer may reveal its content to an attacker
    that makes a browser send requests (BREACH). No other site can do that: our cookie is SameSite=Strict, and without
    the cookie every address is the pairing form.
    """
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
            if not message.get("more_body") and len(body) >= COMPRESSED_B_MIN:
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
