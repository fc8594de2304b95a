"""/requests: what the ward has asked for, and a tap that approves or refuses it."""
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request as Visit
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.facts import Poke
from agent.core.household.sharing import Decision
from agent.host.clock import Clock, Instant
from agent.host.datagram import Outlet
from agent.store import requests
from agent.store.export.leaving import Leaving, leaving
from agent.store.requests import Request, RequestError
from agent.web.forms import read_form
from agent.web.render import Renderer
from agent.web.store_pool import Workers
from agent.web.words import Words

SHOWN_N = 50
CLIPS_N = 30              # to look at, of one request
DECISIONS: dict[str, Decision] = {"approve": "approved", "refuse": "refused"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, in words."""

    n: int
    state: str                      # its state's code: what it looks like goes by it
    said: str                       # the state, who decided and when
    facts: Sequence[tuple[str, str]]    # label and value: who asks, by what law, what exactly would leave
    clips: Sequence[tuple[str, str]]    # that it is cut from: name, and when it begins
    can_refuse: bool


class Requests:
    """The list and the two buttons."""

    def __init__(self, settings: Settings, workers: Workers, renderer: Renderer, clock: Clock) -> None:
        self._workers, self._renderer, self._clock = workers, renderer, clock
        self._with_sound = {camera.name for camera in settings.camera if camera.audio}
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, visit: Visit) -> Response:
        """GET: those that wait for an answer first."""
        return await self._page(visit, None)

    async def decide(self, visit: Visit) -> Response:
        """POST: `n`, `do`: "approve" or "refuse". The page again, with the reason where it is too late for that."""
        form = await read_form(visit)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        number, decision = form.get("n", ""), DECISIONS.get(form.get("do", ""))
        if decision is None or not (number.isascii() and number.isdecimal() and len(number) <= 18):
            return PlainTextResponse("No such request, or no such answer\n", 400)
        if not await self._workers.ask(_decide, int(number), decision, self._clock.now()):
            return await self._page(visit, "requests.too_late")
        for role in ("keeper", "link"):
            self._outlet.send(Poke(what="requests"), role)
        _log.info("request %s: %s by the page", number, decision)
        return RedirectResponse("/requests", 303)

    async def _page(self, visit: Visit, refusal: str | None) -> Response:
        found = await self._workers.ask(_newest)
        said, now = self._renderer.words(visit), self._clock.now()
        told = [asked(request, footage, request.camera in self._with_sound, said, now) for request, footage in found]
        return self._renderer.page(visit, "requests.html", 409 if refusal else 200, refusal=refusal,
                                   waiting=[each for each in told if each.state == "waiting"],
                                   others=[each for each in told if each.state != "waiting"])


def asked(request: Request, footage: Leaving, sound: bool, said: Words, now: Instant) -> Asked:
    """The request in words; `sound`: its camera records some."""
    facts = [(said(f"requests.{label}"), value) for label, value in (
        ("officer", request.officer), ("case", request.case_no), ("purpose", _purpose(request.purpose, said)),
        ("basis", request.basis), ("what", _what(request, said, now)),
        ("leaves", _leaves(request, footage, sound, said)))]
    if request.state == "waiting":
        facts.append((said("requests.until"), said.moment(request.until_ms, now.wall_ms)))
    clips = [(clip.name, said.clock(clip.wall_ms, seconds=True)) for clip in footage.clips if clip.state != "open"]
    return Asked(request.n, request.state, _state(request, said, now), facts, clips[:CLIPS_N],
                 request.state in ("approved", "packed"))


def _state(request: Request, said: Words, now: Instant) -> str:
    state = said(f"requests.state_{request.state}")
    when = said.moment(request.decided_ms, now.wall_ms) if request.decided_ms else ""
    by = said(f"requests.by_{request.decided_by}") if request.decided_by else ""
    return " · ".join(part for part in (state, by, when) if part)


def _purpose(purpose: str, said: Words) -> str:
    """A well-known one in the visitor's words; any other one as the ward has it."""
    return said.texts.get(f"requests.purpose_{purpose}", purpose)


def _what(request: Request, said: Words, now: Instant) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return said("requests.snapshot", camera=request.camera)
    return said("requests.span", camera=request.camera, day=said.day(request.begin_ms, now.wall_ms),
                begin=said.clock(request.begin_ms, seconds=True), end=said.clock(request.end_ms, seconds=True))


def _leaves(request: Request, footage: Leaving, sound: bool, said: Words) -> str:
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


def _newest(db: sqlite3.Connection) -> list[tuple[Request, Leaving]]:
    return [(each, leaving(db, each)) for each in requests.newest(db, SHOWN_N)]


def _decide(db: sqlite3.Connection, number: int, decision: Decision, now: Instant) -> bool:
    """Whether it was not too late for that."""
    request = requests.get(db, number)
    if request is None:
        return False
    try:
        requests.decide(db, request.id, decision, "page", now)
    except RequestError:
        return False
    return True
