"""/requests: the ward's requests; an approval is asked for once more, on a page of its own."""
import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request as WebRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.decisions import DecideRequest, ListRequests
from agent.core.contract.facts import Poke
from agent.core.evidence.ledger import NotCanonical
from agent.host.clock import Clock, Instant
from agent.host.datagram import Outlet
from agent.store import requests
from agent.store.export.preview import ExportPreview, preview
from agent.store.requests import WardRequest
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.forms import number, read_form
from agent.web.render import Renderer
from agent.web.store_pool import StorePool
from agent.web.words import PageWords

SHOWN_N = 50
CLIPS_N = 30              # shown of one request
DECISIONS: dict[str, Literal["approved", "refused"]] = {"approve": "approved", "refuse": "refused"}


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request in words."""

    n: int
    digest: str                     # of what is asked, so that the answer is to what was shown
    state: str                      # a state's code of the store; its look on the page depends on it
    said: str                       # the state, by whom it was decided, and when
    facts: Sequence[tuple[str, str]]    # label and value: officer, legal basis, the very recordings
    clips: Sequence[tuple[str, str]]    # the clips it is cut from: name and begin
    can_refuse: bool


class RequestsPage:
    """The list, and the household's answers, which the keeper takes from a paired browser alone."""

    def __init__(self, settings: Settings, pool: StorePool, browsers: Browsers, renderer: Renderer,
                 clock: Clock) -> None:
        self._pool, self._browsers, self._renderer, self._clock = pool, browsers, renderer, clock
        self._with_sound = {camera.name for camera in settings.camera if camera.audio}
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, web_request: WebRequest) -> Response:
        """GET: the requests, those that wait for an answer first."""
        return await self._page(web_request, None)

    async def confirm(self, web_request: WebRequest) -> Response:
        """GET /requests/N/approve: what would leave and where it would go, once more, before the last button."""
        found, genuine = await self._pool.ask(_one, web_request.path_params["n"]), await self._genuine(web_request)
        each = self._view(web_request, *found, genuine) if found else None
        if each is None or each.state != "waiting":
            return await self._page(web_request, "requests.too_late")
        return self._renderer.page(web_request, "approve.html", each=each)

    async def decide(self, web_request: WebRequest) -> Response:
        """POST with `n`, `digest` and `do` ("approve" or "refuse"). The page again; with 409 and the reason if it is
        too late, or something else was shown."""
        form = await read_form(web_request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        row, digest, code = number(form.get("n")), form.get("digest", ""), DECISIONS.get(form.get("do", ""))
        if code is None or not digest or row is None:
            return PlainTextResponse("No such request, or no such answer\n", 400)
        found = await self._pool.ask(requests.get, row)
        answer = await self._browsers.ask(DecideRequest(
            token=web_request.cookies.get(COOKIE, ""), request=found.id if found else "", digest=digest, code=code))
        if answer.why == "not_paired":
            return RedirectResponse("/pair", 303)
        if answer.why:
            return await self._page(web_request, "requests.too_late")
        for role in ("keeper", "link"):
            self._outlet.send(Poke(what="requests"), role)
        return RedirectResponse("/requests", 303)

    async def _page(self, web_request: WebRequest, refusal: str | None) -> Response:
        found, genuine = await self._pool.ask(_newest), await self._genuine(web_request)
        told = [self._view(web_request, request, footage, genuine) for request, footage in found]
        return self._renderer.page(web_request, "requests.html", 409 if refusal else 200, refusal=refusal,
                                   waiting=[each for each in told if each.state == "waiting"],
                                   others=[each for each in told if each.state != "waiting"])

    async def _genuine(self, web_request: WebRequest) -> Mapping[str, str]:
        """What waits for the household by the keeper's word: only that is shown as something to approve."""
        return (await self._browsers.ask(ListRequests(token=web_request.cookies.get(COOKIE, "")))).waiting

    def _view(self, web_request: WebRequest, request: WardRequest, footage: ExportPreview,
              genuine: Mapping[str, str]) -> RequestView:
        if request.state == "waiting" and genuine.get(request.id) != _digest(request):
            request = replace(request, state="new")
        return request_view(request, footage, request.camera in self._with_sound, self._renderer.words(web_request),
                            self._clock.now())


def request_view(request: WardRequest, footage: ExportPreview, sound: bool, said: PageWords,
                 now: Instant) -> RequestView:
    """The request in words; `sound`: its camera records sound."""
    facts = [(said(f"requests.{label}"), value) for label, value in (
        ("officer", request.officer), ("case", request.case_no), ("purpose", _purpose(request.purpose, said)),
        ("basis", request.basis), ("what", _what(request, said, now)),
        ("leaves", _leaves(request, footage, sound, said)), ("goes_to", _goes_to(request, said)))]
    if request.state == "waiting" and request.until_ms is not None:
        facts.append((said("requests.until"), said.moment(request.until_ms, now.wall_ms)))
    clips = [(clip.name, said.clock(clip.wall_ms, seconds=True)) for clip in footage.clips if clip.state != "open"]
    return RequestView(request.n, _digest(request), request.state, _state(request, said, now), facts, clips[:CLIPS_N],
                 request.state in ("approved", "packed"))


def _digest(request: WardRequest) -> str:
    with contextlib.suppress(NotCanonical):         # of a row that the ward's command never made
        return request.digest
    return ""


def _goes_to(request: WardRequest, said: PageWords) -> str:
    host = request.upload
    with contextlib.suppress(ValueError):
        host = urlsplit(request.upload).netloc or host
    return said("requests.intake", host=host, known_by=request.intake_key)


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
        return said("requests.snapshot", camera=said.label(request.camera))
    return said("requests.span", camera=said.label(request.camera), day=said.day(request.begin_ms, now.wall_ms),
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


def _one(db: sqlite3.Connection, number: int) -> tuple[WardRequest, ExportPreview] | None:
    request = requests.get(db, number)
    return None if request is None else (request, preview(db, request))
