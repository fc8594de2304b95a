"""/requests: the ward's requests; an approval is asked for once more, on a page of its own that shows what would leave.
"""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from starlette.requests import Request as WebRequest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.settings import Settings
from agent.core.contract.decisions import AskSharing, DecideRequest, DecisionAnswer, ListRequests
from agent.core.contract.facts import Poke
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.look.forms import number, read_form
from agent.store import requests
from agent.store.export.preview import ExportPreview, preview
from agent.store.requests import WardRequest
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.films import Films
from agent.web.package_view import package_view
from agent.web.present_request import DeliveryView, RequestView, delivery_view, digest, request_view
from agent.web.render import Renderer
from agent.web.store_pool import StorePool

SHOWN_N = 50
DELIVERED_N = 200
UNPACKED = ("new", "waiting", "approved")
NOTHING = ExportPreview([], 0, 0, False)
DECISIONS: dict[str, Literal["approved", "refused"]] = {"approve": "approved", "refuse": "refused"}
Found = Sequence[tuple[WardRequest, ExportPreview]]


@dataclass(frozen=True, slots=True)
class KeepersWord:
    """What the keeper says of requests: the rows of the shared database may say anything."""

    waiting: dict[str, str]         # for the household, each with its digest: only that is shown to be approved
    receipted: list[str]            # whose receipts hold


class RequestsPage:
    """The list, and the household's answers, which the keeper takes from a paired browser alone."""

    def __init__(self, settings: Settings, pool: StorePool, browsers: Browsers, renderer: Renderer, clock: Clock,
                 films: Films) -> None:
        self._pool, self._browsers, self._renderer, self._clock = pool, browsers, renderer, clock
        self._ward, self._films = settings.ward, films
        self._with_sound = {camera.name for camera in settings.camera if camera.audio}
        self._outlet = Outlet(Path(settings.store.runtime))

    async def show(self, web_request: WebRequest) -> Response:
        """GET: the requests, those that wait for an answer first."""
        return await self._page(web_request, None)

    async def confirm(self, web_request: WebRequest) -> Response:
        """GET /requests/N/approve: what exactly would leave and where it would go, before the last button."""
        found = await self._pool.ask(_one, web_request.path_params["n"])
        each = self._view(web_request, *found, await self._word(web_request)) if found else None
        if found is None or each is None or each.state != "waiting":
            return await self._page(web_request, "requests.too_late")
        package = await package_view(found[0], self._films, self._pool, self._renderer.words(web_request))
        return self._renderer.page(web_request, "approve.html", each=each, package=package)

    async def decide(self, web_request: WebRequest) -> Response:
        """POST with `n`, `digest` and `do` ("approve" or "refuse"). The page again; with 409 and the reason if it is
        too late, or something else was shown."""
        form = await read_form(web_request)
        if form is None:
            return PlainTextResponse("Too long\n", 413)
        row, shown, code = number(form.get("n")), form.get("digest", ""), DECISIONS.get(form.get("do", ""))
        if code is None or not shown or row is None:
            return PlainTextResponse("No such request, or no such answer\n", 400)
        found = await self._pool.ask(requests.get, row)
        answer = await self._browsers.ask(DecideRequest(
            token=web_request.cookies.get(COOKIE, ""), request=found.id if found else "", digest=shown, code=code))
        if answer.why == "not_paired":
            return RedirectResponse("/pair", 303)
        if answer.why:
            return await self._page(web_request, "requests.too_late")
        for role in ("keeper", "link"):
            self._outlet.send(Poke(what="requests"), role)
        return RedirectResponse("/requests", 303)

    async def waiting(self, web_request: WebRequest) -> list[RequestView]:
        """What waits for the household, in brief, for another page. Raises CardTrouble and KeeperSilent."""
        found, word = await self._pool.ask(requests.newest, SHOWN_N), await self._word(web_request)
        told = [self._view(web_request, each, NOTHING, word) for each in found if each.state == "waiting"]
        return [each for each in told if each.state == "waiting"]

    async def waiting_n(self) -> int:
        """How many seem to wait for the household, for those who may not know more. Raises CardTrouble."""
        return await self._pool.ask(requests.waiting_n)

    async def delivered(self, web_request: WebRequest, shown_n: int, receipted: Sequence[str]) -> list[DeliveryView]:
        """What has left the house last; `receipted` as the keeper says. Raises CardTrouble."""
        found = await self._pool.ask(requests.delivered, shown_n)
        said, now = self._renderer.words(web_request), self._clock.now()
        return [delivery_view(each, each.id in receipted, said, now) for each in found]

    async def _page(self, web_request: WebRequest, refusal: str | None) -> Response:
        found, word = await self._pool.ask(_newest), await self._word(web_request)
        told = [self._view(web_request, request, footage, word) for request, footage in found]
        left = await self.delivered(web_request, DELIVERED_N, word.receipted)
        return self._renderer.page(web_request, "requests.html", 409 if refusal else 200, refusal=refusal, left=left,
                                   waiting=[each for each in told if each.state == "waiting"],
                                   others=[each for each in told if each.state not in ("waiting", "delivered")])

    async def _word(self, web_request: WebRequest) -> KeepersWord:
        token = web_request.cookies.get(COOKIE, "")
        told: DecisionAnswer = await self._browsers.ask(ListRequests(token=token))
        return KeepersWord(told.waiting, (await self._browsers.ask(AskSharing(token=token))).sharing.receipted)

    def _view(self, web_request: WebRequest, request: WardRequest, footage: ExportPreview,
              word: KeepersWord) -> RequestView:
        if request.state == "waiting" and word.waiting.get(request.id) != digest(request):
            request = replace(request, state="new")
        return request_view(request, footage, request.camera in self._with_sound, self._ward,
                            self._renderer.words(web_request), self._clock.now())


def _newest(db: sqlite3.Connection) -> Found:
    """What would leave is looked up for those alone of which nobody knows it yet: with many clips it takes a while."""
    return [(each, preview(db, each) if each.state in UNPACKED else NOTHING) for each in requests.newest(db, SHOWN_N)]


def _one(db: sqlite3.Connection, number: int) -> tuple[WardRequest, ExportPreview] | None:
    request = requests.get(db, number)
    return None if request is None else (request, preview(db, request))
