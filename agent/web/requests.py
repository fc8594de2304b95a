"""/requests: the ward's requests, and two buttons to approve or refuse them."""
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request as WebRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.facts import Poke
from agent.core.household.sharing_rules import Decision
from agent.host.clock import Clock, Instant
from agent.host.datagram import Outlet
from agent.store import requests
from agent.store.export.preview import ExportPreview, preview
from agent.store.requests import RequestError, WardRequest
from agent.web.forms import number, read_form
from agent.web.render import Renderer
from agent.web.store_pool import StorePool
from agent.web.words import PageWords

SHOWN_N = 50
CLIPS_N = 30              # shown of one request
DECISIONS: dict[str, Decision] = {"approve": "approved", "refuse": "refused"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request in words."""

    n: int
    state: str                      # a state's code of the store; its look on the page depends on it
    said: str                       # the state, by whom it was decided, and when
    facts: Sequence[tuple[str, str]]    # label and value: officer, legal basis, the very recordings
    clips: Sequence[tuple[str, str]]    # the clips it is cut from: name and begin
    can_refuse: bool


class RequestsPage:
    """The list and the two buttons."""

    def __init__(self, settings: Settings, pool: StorePool, renderer: Renderer, clock: Clock) -> None:
        self._pool, self._renderer, self._clock = pool, renderer, clock
        self._with_sound = {camera.name for camera in settings.camera if camera.audio}
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, web_request: WebRequest) -> Response:
        """GET: the requests, those that wait for an answer first."""
        return await self._page(web_request, None)

    async def decide(self, web_request: WebRequest) -> Response:
        """POST with `n` and `do` ("approve" or "refuse"). The page again; with 409 and the reason if it is too late."""
        form = await read_form(web_request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        row, decision = number(form.get("n")), DECISIONS.get(form.get("do", ""))
        if decision is None or row is None:
            return PlainTextResponse("No such request, or no such answer\n", 400)
        if not await self._pool.ask(_decide, row, decision, self._clock.now()):
            return await self._page(web_request, "requests.too_late")
        for role in ("keeper", "link"):
            self._outlet.send(Poke(what="requests"), role)
        _log.info("request %s: %s by the page", row, decision)
        return RedirectResponse("/requests", 303)

    async def _page(self, web_request: WebRequest, refusal: str | None) -> Response:
        found = await self._pool.ask(_newest)
        said, now = self._renderer.words(web_request), self._clock.now()
        told = [request_view(request, footage, request.camera in self._with_sound, said, now)
                for request, footage in found]
        return self._renderer.page(web_request, "requests.html", 409 if refusal else 200, refusal=refusal,
                                   waiting=[each for each in told if each.state == "waiting"],
                                   others=[each for each in told if each.state != "waiting"])


def request_view(request: WardRequest, footage: ExportPreview, sound: bool, said: PageWords,
                 now: Instant) -> RequestView:
    """The request in words; `sound`: its camera records sound."""
    facts = [(said(f"requests.{label}"), value) for label, value in (
        ("officer", request.officer), ("case", request.case_no), ("purpose", _purpose(request.purpose, said)),
        ("basis", request.basis), ("what", _what(request, said, now)),
        ("leaves", _leaves(request, footage, sound, said)))]
    if request.state == "waiting":
        facts.append((said("requests.until"), said.moment(request.until_ms, now.wall_ms)))
    clips = [(clip.name, said.clock(clip.wall_ms, seconds=True)) for clip in footage.clips if clip.state != "open"]
    return RequestView(request.n, request.state, _state(request, said, now), facts, clips[:CLIPS_N],
                 request.state in ("approved", "packed"))


def _state(request: WardRequest, said: PageWords, now: Instant) -> str:
    state = said(f"requests.state_{request.state}")
    when = said.moment(request.decided_ms, now.wall_ms) if request.decided_ms else ""
    by = said(f"requests.by_{request.decided_by}") if request.decided_by else ""
    return " · ".join(part for part in (state, by, when) if part)


def _purpose(purpose: str, said: PageWords) -> str:
    """A well-known purpose in the page's words; any other one as the ward wrote it."""
    return said.texts.get(f"requests.purpose_{purpose}", purpose)


def _what(request: WardRequest, said: PageWords, now: Instant) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return said("requests.snapshot", camera=request.camera)
    return said("requests.span", camera=request.camera, day=said.day(request.begin_ms, now.wall_ms),
                begin=said.clock(request.begin_ms, seconds=True), end=said.clock(request.end_ms, seconds=True))


def _leaves(request: WardRequest, footage: ExportPreview, sound: bool, said: PageWords) -> str:
    if request.bytes is not None:
        return said("requests.package", size=said.size(request.bytes))
    if request.kind == "snapshot":
        return said("requests.one_picture")
    if footage.empty:
        return said("requests.nothing")
    told = said("requests.video", length=said.span(footage.dur_ms), size=said.size(footage.bytes),
                clips=len(footage.clips))
    more = [said(f"requests.{key}") for key, holds in (("sound", sound), ("recording", footage.recording)) if holds]
    return " ".join([told, *more])


def _newest(db: sqlite3.Connection) -> list[tuple[WardRequest, ExportPreview]]:
    return [(each, preview(db, each)) for each in requests.newest(db, SHOWN_N)]


def _decide(db: sqlite3.Connection, number: int, decision: Decision, now: Instant) -> bool:
    """Decide; False if it is too late, or there is no such request."""
    request = requests.get(db, number)
    if request is None:
        return False
    try:
        requests.decide(db, request.id, decision, "page", now)
    except RequestError:
        return False
    return True
