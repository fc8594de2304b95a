"""/requests: the ward's requests. A second page confirms an approval and shows what would leave."""
import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request as WebRequest
from starlette.responses import RedirectResponse, Response

from agent.config.settings import Ward
from agent.core.contract.decisions import AskSharing, DecideRequest, DecisionAnswer, ListRequests
from agent.core.contract.facts import Poke
from agent.core.contract.wire.inbound import BadPayload
from agent.core.contract.wire.requests import receipt
from agent.core.evidence.ledger.row import fingerprint
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
from agent.web.server.words import View

SHOWN_N = 50
DELIVERED_N = 200
UNPACKED = ("new", "waiting", "approved")
NOTHING = ExportPreview([], 0, 0, False)
DECISIONS: dict[str, Literal["approved", "refused"]] = {"approve": "approved", "refuse": "refused"}
KeepersWord = tuple[dict[str, str], list[str]]      # waiting requests with digests; requests with valid receipts
Found = Sequence[tuple[WardRequest, ExportPreview]]
OPEN = ("new", "waiting", "approved", "packed")
Facts = Sequence[tuple[str, str]]       # label and value
CODECS = {"h264": "H.264", "h265": "H.265"}


class RequestsPage(Handlers):
    """The list and the household's answers. The keeper accepts answers only from a paired browser."""

    def __init__(self, parts: PageParts, films: Films) -> None:
        super().__init__(parts)
        self._films = films

    async def confirm(self, web_request: WebRequest) -> Response:
        """GET /requests/N/approve: shows exactly what would leave and where it would go, before the last button."""
        found = await self._pool.ask(_one, web_request.path_params["n"])
        view = self._view(web_request, *found, await self._word(web_request)) if found else None
        if found is None or view is None or view.state != "waiting":
            return await self.show(web_request, "requests.too_late")
        package = await package_view(found[0], self._films, self._pool, self._words(web_request))
        return self._show(web_request, "approve.html", each=view, package=package)

    async def decide(self, web_request: WebRequest) -> Response:
        """POST with `n`, `digest`, `shown` and `do` ("approve" or "refuse").

        409 if it is too late, or if the page showed something else.
        """
        form = await fields_of(web_request)
        row, shown, code = number(form.get("n")), form.get("digest", ""), DECISIONS.get(form.get("do", ""))
        if code is None or not shown or row is None:
            raise FormRefused("No such request, or no such answer")
        found = await self._pool.ask(requests.get, row)
        answer = await self._ask(DecideRequest(
            token=token_of(web_request), request=found.id if found else "", digest=shown, code=code,
            shown=form.get("shown", "")))
        if answer.why:
            return await self.show(web_request, "requests.too_late")
        self._outlet.send(Poke(what="requests"), "keeper", "link")
        return RedirectResponse("/requests", 303)

    async def waiting(self, web_request: WebRequest) -> list[View]:
        """Returns the requests that wait for the household, in brief. Raises CardTrouble, KeeperSilent."""
        found, word = await self._pool.ask(requests.newest, SHOWN_N), await self._word(web_request)
        views = [self._view(web_request, request, NOTHING, word) for request in found if request.state == "waiting"]
        return [view for view in views if view.state == "waiting"]

    async def delivered(self, web_request: WebRequest, shown_n: int, receipted: Sequence[str]) -> list[View]:
        """Returns the last deliveries. `receipted` comes from the keeper. Raises CardTrouble."""
        found = await self._pool.ask(requests.delivered, shown_n)
        said, now = self._words(web_request), self._clock.now()
        return [delivery_view(request, request.id in receipted, said, now) for request in found]

    async def show(self, web_request: WebRequest, refusal: str = "") -> Response:
        found, word = await self._pool.ask(_newest), await self._word(web_request)
        views = [self._view(web_request, request, footage, word) for request, footage in found]
        left = await self.delivered(web_request, DELIVERED_N, word[1])
        return self._show(web_request, "requests.html", 409 if refusal else 200, refusal=refusal, left=left,
                          waiting=[view for view in views if view.state == "waiting"],
                          others=[view for view in views if view.state not in ("waiting", "delivered")])

    async def _word(self, web_request: WebRequest) -> KeepersWord:
        """Asks the keeper what waits and whose receipts are valid, because rows of the shared database may lie."""
        token = token_of(web_request)
        answer: DecisionAnswer = await self._browsers.ask(ListRequests(token=token))
        return answer.waiting, (await self._browsers.ask(AskSharing(token=token))).sharing.receipted

    def _view(self, web_request: WebRequest, request: WardRequest, footage: ExportPreview, word: KeepersWord) -> View:
        """`digest` and `shown` are digests of what is asked and of the recordings, to answer only what was shown."""
        if request.state == "waiting" and word[0].get(request.id) != request.digest:
            request = replace(request, state="new")
        said, now, camera = self._words(web_request), self._clock.now(), self._camera(request.camera)
        about = [("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
                 ("basis", request.basis), ("what", _what(request, said, now)),
                 ("leaves", _leaves(request, footage, bool(camera and camera.audio), said)),
                 ("goes_to", _goes_to(request, said)), ("whose", _whose(request, self._settings.ward, said))]
        if request.state == "waiting" and request.until_ms is not None:
            about.append(("until", said.moment(request.until_ms, now.wall_ms)))
        brief = said("requests.brief", officer=request.officer, purpose=purpose(request.purpose, said),
                     what=_what(request, said, now))
        return View(n=request.n, digest=request.digest, shown=footage.digest, state=request.state, brief=brief,
                    text=_state(request, said, now), facts=_facts(about, said),
                    can_refuse=request.state in ("approved", "packed"))


def _newest(db: sqlite3.Connection) -> Found:
    """Looks up what would leave only for requests that are not packed yet: with many clips it takes a while."""
    return [(request, preview(db, request) if request.state in UNPACKED else NOTHING)
            for request in requests.newest(db, SHOWN_N)]


def _one(db: sqlite3.Connection, number: int) -> tuple[WardRequest, ExportPreview] | None:
    request = requests.get(db, number)
    return None if request is None else (request, preview(db, request))


def delivery_view(request: WardRequest, receipted: bool, said: PageWords, now: Instant) -> View:
    """`receipted`: the keeper says that the intake's signature is right, and about this very file."""
    had_ms = None
    with contextlib.suppress(BadPayload):           # a spoiled row
        had_ms = receipt((request.receipt or "").encode()).ts
    about = [("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
             ("what", _what(request, said, now)), ("goes_to", _goes_to(request, said)),
             ("agreed", _state(request, said, now).partition(" · ")[2]),
             ("file", said("requests.package", size=said.size(request.bytes or 0))),
             ("sha256", request.sha256 or ""), ("manifest", request.manifest or "")]
    return View(title=_title(request, said, now), receipted=receipted, facts=_facts(about, said),
                when=said.moment(had_ms, now.wall_ms) if had_ms else said("requests.when_unknown"))


def _facts(about: Facts, said: PageWords) -> Facts:
    return [(said(f"requests.{label}"), value) for label, value in about if value]


def purpose(name: str, said: PageWords) -> str:
    """Returns the page's words for a well-known purpose; any other one as the ward wrote it."""
    return said.purposes.get(name, name)


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).netloc or url
    return url


def _goes_to(request: WardRequest, said: PageWords) -> str:
    return said("requests.intake", host=_host(request.upload), known_by=request.intake_key)


def _whose(request: WardRequest, ward: Ward, said: PageWords) -> str:
    """Says whose machine it is, and whether the recorder reports to the same one."""
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
    """Returns an empty text if nothing has left or will leave."""
    if request.bytes is not None:
        return said("requests.package", size=said.size(request.bytes))
    if request.state not in OPEN:
        return ""
    if request.kind == "snapshot":
        return said("requests.one_picture")
    if footage.empty:
        return said("requests.nothing")
    video = said("requests.video", length=said.span(footage.dur_ms), size=said.size(footage.bytes),
                 clips=len(footage.clips))
    more = [said(f"requests.{key}") for key, holds in (
        ("sound", sound), ("recording", footage.recording), ("undated", not footage.sure)) if holds]
    return " ".join([video, *more])


async def package_view(request: WardRequest, films: Films, pool: StorePool, said: PageWords) -> View | None:
    """Returns None for a picture of the moment, which does not exist yet. Raises CardTrouble.

    The films are those of the package, bit for bit: packing cuts the same frames out of the same clips. `grows`: its
    end is still being recorded, and leaves with the next package. `papers` is the rest of the manifest.
    """
    if request.begin_ms is None or request.end_ms is None:
        return None
    listed = await films.listed(FilmWish(request.camera, request.begin_ms, request.end_ms))

    def span(of: FilmListed | FilmGap) -> dict[str, str]:
        return {"begin": said.clock(of.begin_ms, seconds=True), "end": said.clock(of.end_ms, seconds=True)}

    shown = [View(address=film.address, plays_everywhere=film.codec == "h264", text=said(
        "package.film", **span(film), length=said.span(film.dur_ms), width=film.width, height=film.height,
        codec=CODECS.get(film.codec, film.codec), size=said.size(film.bytes))) for film in listed.films]
    return View(films=shown, total=said.size(sum(film.bytes for film in listed.films)), grows=listed.grows,
                gaps=[said(f"package.gap_{gap.why}", **span(gap)) for gap in listed.gaps],
                papers=await pool.ask(_papers, request.camera, said))


def _papers(db: StoreConnection, camera: str, said: PageWords) -> Facts:
    key = meta.get(db, ledger.KEY)
    return [(said(f"package.{label}"), value) for label, value in (
        ("camera", camera), ("recorder", identity.named(db.store) or identity.UNNAMED), ("software", SOFTWARE),
        ("key", fingerprint(bytes.fromhex(key)) if key else said("package.no_key")))]
