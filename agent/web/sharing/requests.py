"""/requests: the ward's requests; an approval is asked for once more, on a page of its own that shows what would leave.
"""
import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request as WebRequest
from starlette.responses import RedirectResponse, Response

from agent.config.settings import Ward
from agent.core.contract.decisions import AskSharing, DecideRequest, DecisionAnswer, ListRequests
from agent.core.contract.facts import Poke
from agent.core.contract.wire.inbound import BadPayload
from agent.core.contract.wire.requests import receipt
from agent.core.evidence.ledger import fingerprint
from agent.host.clock import Instant
from agent.look.forms import number
from agent.look.words import PageWords
from agent.store import identity, ledger, meta, requests
from agent.store.database import StoreConnection
from agent.store.export.package import SOFTWARE
from agent.store.requests import ExportPreview, WardRequest, preview
from agent.web.recordings.films import FilmGap, FilmListed, Films, FilmWish
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.server.store_pool import StorePool

SHOWN_N = 50
DELIVERED_N = 200
UNPACKED = ("new", "waiting", "approved")
NOTHING = ExportPreview([], 0, 0, False)
DECISIONS: dict[str, Literal["approved", "refused"]] = {"approve": "approved", "refuse": "refused"}
KeepersWord = tuple[dict[str, str], list[str]]      # what waits, each with its digest; whose receipts hold
Found = Sequence[tuple[WardRequest, ExportPreview]]
OPEN = ("new", "waiting", "approved", "packed")
Facts = Sequence[tuple[str, str]]       # label and value
CODECS = {"h264": "H.264", "h265": "H.265"}


class RequestView(NamedTuple):
    """One request in words."""

    n: int
    digest: str                     # of what is asked, so that the answer is to what was shown
    shown: str                      # of the recordings that would leave: likewise
    state: str                      # a state's code of the store; its look on the page depends on it
    title: str                      # the camera, and the day or the moment
    said: str                       # the state, by whom it was decided, and when
    facts: Facts                    # officer, legal basis, the very recordings
    brief: str                      # of that, who asks for what and what for
    can_refuse: bool


class DeliveryView(NamedTuple):
    """What has left the house, in words."""

    n: int
    title: str
    when: str
    receipted: bool                 # by the keeper's word: the intake's signature is right, and about this very file
    facts: Facts


class PackedFilm(NamedTuple):
    """One film of the package, bit for bit: the packing cuts the same frames out of the same clips."""

    address: str
    said: str                       # from when to when, size of the picture, encoding, bytes
    plays_everywhere: bool


class PackageView(NamedTuple):
    """The package in words."""

    films: Sequence[PackedFilm]
    total: str                      # the size of all films
    gaps: Sequence[str]
    grows: bool                     # the end of it is being recorded: that leaves with the next one
    papers: Facts                   # what the manifest says beside what the ward has asked


class RequestsPage(Handlers):
    """The list, and the household's answers, which the keeper takes from a paired browser alone."""

    def __init__(self, parts: PageParts, films: Films) -> None:
        super().__init__(parts)
        self._films = films

    async def show(self, web_request: WebRequest) -> Response:
        """GET: the requests, those that wait for an answer first."""
        return await self._page(web_request, None)

    async def confirm(self, web_request: WebRequest) -> Response:
        """GET /requests/N/approve: what exactly would leave and where it would go, before the last button."""
        found = await self._pool.ask(_one, web_request.path_params["n"])
        each = self._view(web_request, *found, await self._word(web_request)) if found else None
        if found is None or each is None or each.state != "waiting":
            return await self._page(web_request, "requests.too_late")
        package = await package_view(found[0], self._films, self._pool, self._words(web_request))
        return self._show(web_request, "approve.html", each=each, package=package)

    async def decide(self, web_request: WebRequest) -> Response:
        """POST with `n`, `digest`, `shown` and `do` ("approve" or "refuse"). The page again; with 409 and the reason if
        it is too late, or something else was shown."""
        form = await fields_of(web_request)
        row, shown, code = number(form.get("n")), form.get("digest", ""), DECISIONS.get(form.get("do", ""))
        if code is None or not shown or row is None:
            raise FormRefused("No such request, or no such answer")
        found = await self._pool.ask(requests.get, row)
        answer = await self._ask(DecideRequest(
            token=token_of(web_request), request=found.id if found else "", digest=shown, code=code,
            shown=form.get("shown", "")))
        if answer.why:
            return await self._page(web_request, "requests.too_late")
        self._outlet.send(Poke(what="requests"), "keeper", "link")
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
        said, now = self._words(web_request), self._clock.now()
        return [delivery_view(each, each.id in receipted, said, now) for each in found]

    async def _page(self, web_request: WebRequest, refusal: str | None) -> Response:
        found, word = await self._pool.ask(_newest), await self._word(web_request)
        told = [self._view(web_request, request, footage, word) for request, footage in found]
        left = await self.delivered(web_request, DELIVERED_N, word[1])
        return self._show(web_request, "requests.html", 409 if refusal else 200, refusal=refusal, left=left,
                          waiting=[each for each in told if each.state == "waiting"],
                          others=[each for each in told if each.state not in ("waiting", "delivered")])

    async def _word(self, web_request: WebRequest) -> KeepersWord:
        """The rows of the shared database may say anything, so the keeper says what waits and whose receipts hold."""
        token = token_of(web_request)
        told: DecisionAnswer = await self._browsers.ask(ListRequests(token=token))
        return told.waiting, (await self._browsers.ask(AskSharing(token=token))).sharing.receipted

    def _view(self, web_request: WebRequest, request: WardRequest, footage: ExportPreview,
              word: KeepersWord) -> RequestView:
        if request.state == "waiting" and word[0].get(request.id) != request.digest:
            request = replace(request, state="new")
        camera = self._camera(request.camera)
        return request_view(request, footage, bool(camera and camera.audio), self._settings.ward,
                            self._words(web_request), self._clock.now())


def _newest(db: sqlite3.Connection) -> Found:
    """What would leave is looked up for those alone of which nobody knows it yet: with many clips it takes a while."""
    return [(each, preview(db, each) if each.state in UNPACKED else NOTHING) for each in requests.newest(db, SHOWN_N)]


def _one(db: sqlite3.Connection, number: int) -> tuple[WardRequest, ExportPreview] | None:
    request = requests.get(db, number)
    return None if request is None else (request, preview(db, request))


def request_view(request: WardRequest, footage: ExportPreview, sound: bool, ward: Ward, said: PageWords,
                 now: Instant) -> RequestView:
    """The request in words; `sound`: its camera records sound."""
    facts = [(said(f"requests.{label}"), value) for label, value in (
        ("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
        ("basis", request.basis), ("what", _what(request, said, now)),
        ("leaves", _leaves(request, footage, sound, said)), ("goes_to", _goes_to(request, said)),
        ("whose", _whose(request, ward, said))) if value]
    if request.state == "waiting" and request.until_ms is not None:
        facts.append((said("requests.until"), said.moment(request.until_ms, now.wall_ms)))
    return RequestView(request.n, request.digest, footage.digest, request.state, _title(request, said, now),
                       _state(request, said, now), facts,
                       said("requests.brief", officer=request.officer, purpose=purpose(request.purpose, said),
                            what=_what(request, said, now)), request.state in ("approved", "packed"))


def delivery_view(request: WardRequest, receipted: bool, said: PageWords, now: Instant) -> DeliveryView:
    """A delivered request in words; `receipted` is the keeper's word on its receipt."""
    had_ms = None
    with contextlib.suppress(BadPayload):           # of a row that somebody has spoiled
        had_ms = receipt((request.receipt or "").encode()).ts
    facts = [("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
             ("what", _what(request, said, now)), ("goes_to", _goes_to(request, said)),
             ("agreed", _state(request, said, now).partition(" · ")[2]),
             ("file", said("requests.package", size=said.size(request.bytes or 0))),
             ("sha256", request.sha256 or ""), ("manifest", request.manifest or "")]
    return DeliveryView(request.n, _title(request, said, now),
                        said.moment(had_ms, now.wall_ms) if had_ms else said("requests.when_unknown"), receipted,
                        [(said(f"requests.{label}"), value) for label, value in facts if value])


def purpose(name: str, said: PageWords) -> str:
    """A well-known purpose in the page's words; any other one as the ward wrote it."""
    return said.purposes.get(name, name)


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).netloc or url
    return url


def _goes_to(request: WardRequest, said: PageWords) -> str:
    return said("requests.intake", host=_host(request.upload), known_by=request.intake_key)


def _whose(request: WardRequest, ward: Ward, said: PageWords) -> str:
    """Whose machine that is: the ward's own, and whether it is the one that the recorder reports to as well."""
    same = _host(request.upload).rpartition(":")[0] == ward.host
    return said("requests.whose_same" if same else "requests.whose_other", ward=ward.ward, broker=ward.host)


def _title(request: WardRequest, said: PageWords, now: Instant) -> str:
    camera = said.label(request.camera)
    if request.begin_ms is None:
        return said("requests.title_snapshot", camera=camera)
    return said("requests.title_clip", camera=camera, begin=said.moment(request.begin_ms, now.wall_ms))


def _state(request: WardRequest, said: PageWords, now: Instant) -> str:
    state = said(f"requests.state_{request.state}")
    when = said.moment(request.decided_ms, now.wall_ms) if request.decided_ms else ""
    by = said(f"requests.by_{request.decided_by}") if request.decided_by else ""
    return " · ".join(part for part in (state, by, when) if part)


def _what(request: WardRequest, said: PageWords, now: Instant) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return said("requests.snapshot", camera=said.label(request.camera))
    return said("requests.span", camera=said.label(request.camera), day=said.day(request.begin_ms, now.wall_ms),
                begin=said.clock(request.begin_ms, seconds=True), end=said.clock(request.end_ms, seconds=True))


def _leaves(request: WardRequest, footage: ExportPreview, sound: bool, said: PageWords) -> str:
    """ "" where nothing has left, nor will."""
    if request.bytes is not None:
        return said("requests.package", size=said.size(request.bytes))
    if request.state not in OPEN:
        return ""
    if request.kind == "snapshot":
        return said("requests.one_picture")
    if footage.empty:
        return said("requests.nothing")
    told = said("requests.video", length=said.span(footage.dur_ms), size=said.size(footage.bytes),
                clips=len(footage.clips))
    more = [said(f"requests.{key}") for key, holds in (
        ("sound", sound), ("recording", footage.recording), ("undated", not footage.sure)) if holds]
    return " ".join([told, *more])


async def package_view(request: WardRequest, films: Films, pool: StorePool, said: PageWords) -> PackageView | None:
    """None for a picture of the moment, which nobody has yet. Raises CardTrouble."""
    if request.begin_ms is None or request.end_ms is None:
        return None
    told = await films.told(FilmWish(request.camera, request.begin_ms, request.end_ms))

    def span(of: FilmListed | FilmGap) -> dict[str, str]:
        return {"begin": said.clock(of.begin_ms, seconds=True), "end": said.clock(of.end_ms, seconds=True)}

    shown = [PackedFilm(film.address, said(
        "package.film", **span(film), length=said.span(film.dur_ms), width=film.width, height=film.height,
        codec=CODECS.get(film.codec, film.codec), size=said.size(film.bytes)), film.codec == "h264")
        for film in told.films]
    return PackageView(shown, said.size(sum(each.bytes for each in told.films)),
                       [said(f"package.gap_{gap.why}", **span(gap)) for gap in told.gaps], told.grows,
                       await pool.ask(_papers, request.camera, said))


def _papers(db: StoreConnection, camera: str, said: PageWords) -> Facts:
    key = meta.get(db, ledger.KEY)
    return [(said(f"package.{label}"), value) for label, value in (
        ("camera", camera), ("recorder", identity.named(db.store) or identity.UNNAMED), ("software", SOFTWARE),
        ("key", fingerprint(bytes.fromhex(key)) if key else said("package.no_key")))]
