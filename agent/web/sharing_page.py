"""/sharing: what the ward is told and may have, in a few switches; joining and leaving; what waits, what has left."""
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.decisions import AskSharing, BrowserQuestion, ChangeSettings, JoinWard, SharingState
from agent.core.contract.facts import Poke
from agent.core.contract.setup import SetSharing, SetWard
from agent.core.household import consent
from agent.core.household.sharing_rules import STRICTEST_FIRST
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.host.weights import words_lack
from agent.look.forms import number, read_form
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.outcome import after, problem_text
from agent.web.present_enrolment import enrolment_view, read
from agent.web.present_ward import consent_text, rule_of, sharing_view
from agent.web.render import Renderer
from agent.web.requests import RequestsPage
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import StorePool

HERE = "/sharing"
LEFT_N = 3                      # deliveries that are shown here; all of them are at /requests
PURPOSE = "purpose-"            # how the fields of purposes are called
TOO_LATE = "sharing_shown"      # a problem of this page: something else was shown than what holds


class SharingPage:
    """The handlers. A viewer sees what leaves the house, and neither who asks for what nor a switch."""

    def __init__(self, settings: Settings, pool: StorePool, browsers: Browsers, renderer: Renderer, desk: SettingsDesk,
                 asked: RequestsPage, clock: Clock) -> None:
        self._pool, self._clock = pool, clock
        self._settings, self._browsers, self._renderer = settings, browsers, renderer
        self._desk, self._asked = desk, asked
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, request: Request) -> Response:
        """GET."""
        return await self._page(request)

    async def change(self, request: Request) -> Response:
        """POST: `part` ("health", "events", "people", "pictures") and `to`, or `part` "purposes" with a rule each."""
        form = await read_form(request)
        change = _change(form) if form else None
        if change is None:
            return PlainTextResponse("No such switch, or too much\n", 400)
        return await self._say(request, ChangeSettings(token=_token(request), change=change))

    async def joining(self, request: Request) -> Response:
        """GET /sharing/join: the text, whole, and the button beneath."""
        return await self._page(request, "sharing_join.html")

    async def join(self, request: Request) -> Response:
        """POST with `ward` and `text`, which were shown."""
        form = await read_form(request) or {}
        return await self._say(request, JoinWard(token=_token(request), ward=form.get("ward", ""),
                                                 text=number(form.get("text")) or 0))

    async def leaving(self, request: Request) -> Response:
        """GET /sharing/leave: what that means."""
        return await self._page(request, "sharing_leave.html")

    async def leave(self, request: Request) -> Response:
        """POST."""
        return await self._say(request, ChangeSettings(token=_token(request), change=SetWard(enabled=False)))

    async def _say(self, request: Request, question: BrowserQuestion) -> Response:
        """Bring it to the keeper. What it takes back counts by now, whether the configuration can be changed or not."""
        answer = await self._browsers.ask(question)
        if answer.why == "not_paired":
            return RedirectResponse("/pair", 303)
        for what, role in (("membership", "link"), ("requests", "link"), ("requests", "keeper")):
            self._outlet.send(Poke(what=what), role)
        if answer.why == "no_setup" and (await self._state(request)).held:
            return RedirectResponse(HERE, 303)
        if answer.why:
            return await self._page(request, problem="no_setup" if answer.why == "no_setup" else TOO_LATE)
        return after([answer.change], HERE, HERE)

    async def _page(self, request: Request, template: str = "sharing.html", problem: str = "") -> Response:
        said, state = self._renderer.words(request), await self._state(request)
        wrong, detail = problem_text(request, said, self._desk, problem)
        waiting = await self._asked.waiting(request) if request.state.is_owner else []
        left = await self._asked.delivered(request, LEFT_N, state.receipted)
        found = await self._pool.ask(lambda _: read(self._settings.ward, Path(self._settings.store.runtime)))
        view = sharing_view(self._settings, state, words_lack(), said)
        enrolment = enrolment_view(found, view.ward, self._clock.now().wall_ms, said)
        return self._renderer.page(request, template, 409 if problem else 200, problem=wrong, detail=detail, view=view,
                                   enrolment=enrolment, text=consent_text(said.language), waiting=waiting,
                                   asked_n=await self._asked.waiting_n(), left=left)

    async def _state(self, request: Request) -> SharingState:
        return (await self._browsers.ask(AskSharing(token=_token(request)))).sharing


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


def _change(form: Mapping[str, str]) -> SetSharing | None:
    """What the form sets; None for one that is none of ours."""
    part, to = form.get("part", ""), form.get("to", "")
    if part in consent.KINDS_OF and to in ("never", "allow"):
        return SetSharing(**{part: to})
    if part == "people" and to in ("people", "allow"):
        return SetSharing(events=to)
    if part == "pictures" and rule_of(to):      # for a picture of the moment the household is asked each time
        return SetSharing(default=to, never=[], ask=[], allow=[], snapshots="never" if to == "never" else "ask")
    if part == "purposes":
        return _by_purpose(form)
    return None


def _by_purpose(form: Mapping[str, str]) -> SetSharing | None:
    """The rules of the purposes, each of which may be as for all others; None for a form without these two."""
    default, snapshots = rule_of(form.get("default", "")), rule_of(form.get("snapshots", ""))
    if not default or not snapshots:
        return None
    chosen = {name.removeprefix(PURPOSE): rule for name, rule in form.items() if name.startswith(PURPOSE)}
    lists = {rule: [name for name, its in chosen.items() if its == rule] for rule in STRICTEST_FIRST}
    return SetSharing(default=default, snapshots=snapshots, **lists)
