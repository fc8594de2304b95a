"""/pair, /enter and /browsers: a code or a link lets a browser in; a paired one sees the code and can remove others.

Only paired browsers see the code. The device itself does not show it.
"""
import asyncio
import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.core.contract import decisions
from agent.core.household.access import grouped
from agent.host.address import is_loopback_address, phone_addresses
from agent.look.forms import own_path
from agent.look.templates import YEAR_S
from agent.web.server.access import COOKIE, SEEN, token_of
from agent.web.server.browsers import KeeperSilent
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.server.words import View

SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Macintosh", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))
# Each of them also claims to be those behind it.
PROGRAMS = (("coc_coc", "Cốc Cốc"), ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"),
            ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("Chrome", "Chrome"), ("CriOS", "Chrome"),
            ("Safari", "Safari"))


def browser_name(user_agent: str) -> str:
    """Returns what people call a browser, by its User-Agent: "Chrome · Android".

    An unknown browser keeps the first letters of its User-Agent.
    """
    found = [next((name for mark, name in names if mark in user_agent), "") for names in (PROGRAMS, SYSTEMS)]
    return " · ".join(filter(None, found)) or user_agent[:40].strip() or "?"


class PairPage(Handlers):
    def __init__(self, parts: PageParts) -> None:
        super().__init__(parts)
        self._port, self._fingerprint = parts.port, parts.fingerprint

    async def show(self, request: Request) -> Response:
        """GET /pair: the form; for a paired browser, the code and the address for a phone."""
        token = token_of(request)
        answer = await self._browsers.ask(decisions.ListBrowsers(token=token)) if token else None
        if answer is None or answer.why:
            return self._form(request, request.query_params.get("next", "/"))
        return await self._phone(request, answer.code)

    async def pair(self, request: Request) -> Response:
        """POST /pair with `code` and `next`. A wrong code and a lock get the same words."""
        form = await fields_of(request)
        goal = form.get("next", "/")
        try:
            token = await self._browsers.pair(form.get("code", ""), _name(request))
        except KeeperSilent:
            return self._form(request, goal, "pair.silent", 503)
        if not token:
            return self._form(request, goal, "pair.refused", 403)
        return await self._let_in(request, token, own_path(goal))

    async def enter(self, request: Request) -> Response:
        """GET /enter/LINK: lets in the first browser that opens it, within a minute."""
        if request.method != "GET":         # a look at the link must not use it up
            return PlainTextResponse("Open this link in a browser\n", 405, {"allow": "GET"})
        token = await self._browsers.open_link(request.path_params["link"], _name(request))
        return await self._let_in(request, token, "/") if token else self._form(request, "/", "pair.stale_link", 403)

    async def browsers(self, request: Request) -> Response:
        """GET /browsers: the paired browsers, the most recent visitor first."""
        token = token_of(request)
        return await self._list(request, await self._browsers.ask(decisions.ListBrowsers(token=token)))

    async def change(self, request: Request) -> Response:
        """POST /browsers with `do`: "unpair", "owner" or "viewer", and `which`, an id; or only "code" or "reset".

        "code" makes a new code for the next browsers; "reset" also removes all paired browsers.
        """
        question = self._question(token := token_of(request), await fields_of(request))
        if question is None:
            raise FormRefused("No such browser, or no such change")
        answer = await self._browsers.ask(question)
        self._browsers.doubt()
        if answer.why == "last_owner":
            listed = await self._browsers.ask(decisions.ListBrowsers(token=token))
            return await self._list(request, listed, "browsers.last_owner")
        is_reset = isinstance(question, decisions.UnpairBrowser) and not question.which
        if not answer.why and (is_reset or isinstance(question, decisions.NewCode)):
            return await self._phone(request, answer.code, is_reset)
        return RedirectResponse("/browsers", 303)

    @staticmethod
    def _question(token: str, form: Mapping[str, str]) -> decisions.BrowserQuestion | None:
        match form.get("do"), form.get("which", ""):
            case "reset", _:
                return decisions.UnpairBrowser(token=token)
            case "code", _:
                return decisions.NewCode(token=token)
            case "unpair", which if which:
                return decisions.UnpairBrowser(token=token, which=which)
            case "owner" | "viewer" as role, which if which:
                return decisions.GiveRole(token=token, which=which, role=role)
        return None

    async def _list(self, request: Request, answer: decisions.DecisionAnswer, problem: str = "") -> Response:
        if answer.why:
            return RedirectResponse("/pair", 303)
        token = token_of(request)
        said, now, own = self._words(request), self._clock.now().wall_ms, hashlib.sha256(token.encode()).hexdigest()
        shown = [View(id=browser.id, name=browser.name, used=said.moment(browser.used_wall_ms, now),
                      paired=said.moment(browser.paired_wall_ms, now), is_owner=browser.role == "owner",
                      own=own.startswith(browser.id)) for browser in answer.browsers]
        owners_n = sum(view.is_owner for view in shown)
        return self._show(request, "browsers.html", 409 if problem else 200, browsers=shown, problem=problem,
                          lonely=owners_n == 1 < len(shown))

    async def _let_in(self, request: Request, token: str, goal: str) -> Response:
        """Sets the cookie and leads to `goal`, or to the set-up while that is open."""
        waits = goal == "/" and await self._desk.waits(token)
        answer = RedirectResponse("/setup" if waits else goal, 303)
        answer.set_cookie(COOKIE, token, max_age=YEAR_S, path="/", httponly=True, samesite="strict",
                          secure=request.url.scheme == "https")
        return answer

    async def _phone(self, request: Request, code: str, reset: bool = False) -> Response:
        """Shows the code and the addresses for a phone; after a `reset`, for any browser."""
        web = self._settings.web
        found = await asyncio.to_thread(phone_addresses, web.listen, self._port, web.tls)
        return self._show(request, "phone.html", code=grouped(code), addresses=found, reset=reset,
                          fingerprint=self._fingerprint, closed=is_loopback_address(web.listen))

    def _form(self, request: Request, goal: str, refusal: str = "", status: int = 200) -> Response:
        answer = self._show(request, "pair.html", status, bare=True, goal=goal, refusal=refusal)
        if request.url.scheme == "https":       # so it has got past its warning
            answer.set_cookie(SEEN, "1", max_age=YEAR_S, samesite="lax", httponly=True)
        return answer


def _name(request: Request) -> str:
    return browser_name(request.headers.get("user-agent", ""))
