"""The desk's pages of devices, of requests and of the ward itself, and their renderer.

Handlers that read files or the database run on a thread.
"""
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

import msgspec
import sqlalchemy as sql
from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from agent.core.contract.wire.requests import Receipt
from agent.core.health.conditions import ConditionText
from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.look import words
from agent.look.device_words import condition_texts
from agent.look.forms import number, read_form
from agent.look.templates import PageTemplates, Place
from agent.look.words import LANGUAGES, PageWords
from agent.ward import database
from agent.ward.authority import certificates, findings
from agent.ward.desk.details import in_words
from agent.ward.desk.requests import CHECKED, HOLDS_NOT, OfficersRequests
from agent.ward.desk.rows import PAGE_N, WORST_FIRST, DeskBoard, DeskRow, chosen, counted
from agent.ward.request.desk import BadOrder
from agent.ward.requests import PictureRequest, PictureRequests
from agent.ward.settings import Settings
from agent.ward.ward_side import Code, Line

HERE = Path(__file__).parent
NAVIGATION = (
    Place("nav.devices", "/", "camera", below=("/devices/",)),
    Place("nav.requests", "/requests", "film", below=("/requests/",)),
    Place("nav.ward", "/ward", "ward"),
)


class DeskWords(PageWords):
    """Every time of day names its zone, because officers ask for footage by it."""

    def clock(self, wall_ms: int, seconds: bool = False) -> str:
        return f"{self.bare_clock(wall_ms, seconds)} {self.zone(wall_ms)}"

    bare_clock = PageWords.clock

    @staticmethod
    def zone(wall_ms: int) -> str:
        return words.zone_of(words.local(wall_ms))


class DeskRenderer(PageTemplates):
    def __init__(self, own: Settings) -> None:
        said = (words.load(each, HERE / "i18n") for each in LANGUAGES)
        super().__init__(HERE, {each.language: DeskWords(each.language, each.texts) for each in said},
                         own.desk.language)
        self._place = own.authority.name or own.ward.ward

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             **values: object) -> HTMLResponse:
        """Renders `template`; without an officer in the request's state, the page shows nothing of this ward."""
        officer = getattr(request.state, "officer", None)       # agent/ward/desk/main.py
        return self.answer(request, template, status, headers, bare=officer is None, place=self._place,
                           places=NAVIGATION, officer=officer, **values)


EVENTS_N, REQUESTS_N, SEARCH_MAX = 20, 10, 100
MISSING = "missing"
CAMERAS_MAX = 32


class DeviceCamera(Struct, frozen=True, rename={"name": "c", "state": "st", "recording": "rec"}):
    """One camera; None for unknown values."""

    name: Line
    state: Code | None = None       # ok | starting | retrying | stalled | paused | ended | failed
    fault: Code | None = None
    recording: bool | None = None


class _NamedCameras(Struct, frozen=True):
    cams: Annotated[list[DeviceCamera], Meta(max_length=CAMERAS_MAX)] = []


def cameras(birth: str | None, health: str | None) -> list[DeviceCamera]:
    """Returns the cameras that the device names, in its order."""
    states = {each.name: each for each in _read(health)}
    return [states.get(name) or DeviceCamera(name)
            for name in dict.fromkeys([*(each.name for each in _read(birth)), *states])]


def _read(text: str | None) -> list[DeviceCamera]:
    try:
        return msgspec.json.decode(text, type=_NamedCameras).cams if text else []
    except msgspec.DecodeError:
        return []


class DevicePages:
    def __init__(self, board: DeskBoard, engine: sql.Engine, requests: PictureRequests, renderer: DeskRenderer,
                 clock: Clock) -> None:
        self._board, self._engine, self._requests = board, engine, requests
        self._renderer, self._clock = renderer, clock

    def devices(self, request: Request) -> Response:
        """GET /: `state`, `q` (search words), `page`, `pick` to choose a device; with `fragment`, only the list."""
        query = request.query_params
        pick = "pick" in query
        state, text = query.get("state", ""), query.get("q", "")[:SEARCH_MAX]
        everything = self._board.rows()
        found = chosen(everything, state if state in (*WORST_FIRST, MISSING) else "", text)
        page_n = min(number(query.get("page")) or 1, max(-(-len(found) // PAGE_N), 1))
        template = "device_list.html" if "fragment" in query else "devices.html"
        return self._renderer.page(
            request, template, rows=found[(page_n - 1) * PAGE_N:page_n * PAGE_N], found_n=len(found), page_n=page_n,
            pages_n=max(-(-len(found) // PAGE_N), 1), state=state, q=text, now_ms=self._clock.now().wall_ms,
            pick=pick, states=_states(everything), address=_address(state, text, pick),
            book_fault=self._board.book_fault, is_unwell=self._board.is_unwell)

    def device(self, request: Request) -> Response:
        """GET /devices/KEY, a device's id or the serial number of a place."""
        if (row := self._board.row(request.path_params["key"])) is None:
            raise HTTPException(404)
        known = self._known(row)
        said = condition_texts(self._renderer.words(request).language)
        template = "device_state.html" if "fragment" in request.query_params else "device.html"
        return self._renderer.page(
            request, template, row=row, cameras=cameras(known.birth, known.health) if known else [],
            health_ms=known.health_ms if known else None, events=self._events(row), conditions=_conditions(row, said),
            requests=self._requests.newest(REQUESTS_N, dev=row.dev) if row.dev else [],
            now_ms=self._clock.now().wall_ms)

    def see_alarms(self, request: Request) -> Response:
        """POST /devices/KEY/seen: the officer has seen what its cards did."""
        if (row := self._board.row(request.path_params["key"])) is None or not row.serial:
            raise HTTPException(404)
        self._board.see_alarms(row, request.state.officer.noted)
        return RedirectResponse(f"/devices/{row.key}", SEE_OTHER)

    def cameras(self, dev: str) -> list[str]:
        with database.transaction(self._engine) as db:
            found = db.execute(sql.select(database.device.c.birth, database.device.c.health).where(
                database.device.c.dev == dev)).first()
        return [each.name for each in cameras(found.birth, found.health)] if found else []

    def _known(self, row: DeskRow) -> sql.Row | None:
        own = database.device.c
        with database.transaction(self._engine) as db:
            return db.execute(sql.select(own.birth, own.health, own.health_ms).where(own.dev == row.dev)).first()

    def _events(self, row: DeskRow) -> Sequence[sql.Row]:
        own = database.event.c
        with database.transaction(self._engine) as db:
            return db.execute(sql.select(own.kind, own.time_ms, own.taken_ms).where(own.dev == row.dev)
                              .order_by(own.seq.desc()).limit(EVENTS_N)).all()


def _states(found: Sequence[DeskRow]) -> list[tuple[str, int]]:
    missing_n = sum(not row.green for row in found)
    return [("", len(found)), (MISSING, missing_n), *counted(found).items()]


def _address(state: str, text: str, pick: bool) -> str:
    given = (("state", state), ("q", text), ("pick", "1" if pick else ""))
    return "/?" + urlencode({name: value for name, value in given if value} | {"page": ""})


def _conditions(row: DeskRow, said: dict[str, ConditionText]) -> list[tuple[str, ConditionText | None]]:
    return [(each, said.get(each.partition(" ")[0])) for each in row.cond]


SOON_MS, ENDS_N = 60 * 86_400_000, 50


class Ending(NamedTuple):
    name: str
    until_ms: int


class WardPage:
    def __init__(self, own: Settings, board: DeskBoard, renderer: DeskRenderer, clock: Clock) -> None:
        self._own, self._board, self._renderer, self._clock = own, board, renderer, clock

    def show(self, request: Request) -> Response:
        found, now_ms = self._board.rows(), self._clock.now().wall_ms
        devices = sorted((row for row in found if row.dev and row.until_ms), key=lambda row: row.until_ms or 0)
        authorities = [Ending(_name(each.subject), _ms(each.not_valid_after_utc))
                       for each in certificates.in_file(Path(self._own.authority.ca))]
        return self._renderer.page(
            request, "ward.html", now_ms=now_ms, soon_ms=now_ms + SOON_MS, states=counted(found), devices_n=len(found),
            green_n=sum(row.green for row in found), authorities=authorities,
            lists=_lists(Path(self._own.intake.crl)), devices=devices[:ENDS_N],
            examined=findings.last(Path(self._own.authority.folder)))


def _lists(path: Path) -> list[Ending]:
    try:
        return [Ending(_name(each.issuer), _ms(each.next_update_utc))
                for each in certificates.lists_in(path.read_bytes()) if each.next_update_utc]
    except (OSError, ValueError):
        return []


def _name(of: x509.Name) -> str:
    found = of.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else of.rfc4514_string()


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


LIST_N = 50
FIELDS = ("dev", "cam", "case", "purpose", "basis", "from", "to")
# Where a refusal stands on the form, if not at the field of its own name.
PLACES = {"to_before": "to", "to_ahead": "to", "too_long": "to"}
FORM_B_MAX = 16_384
SEE_OTHER = 303


class RequestPages:
    def __init__(self, board: DeskBoard, devices: DevicePages, requests: PictureRequests, officers: OfficersRequests,
                 renderer: DeskRenderer, clock: Clock) -> None:
        self._board, self._devices, self._requests, self._officers = board, devices, requests, officers
        self._renderer, self._clock = renderer, clock

    def all(self, request: Request) -> Response:
        """GET /requests: newest first, with `page`; with `fragment`, only the list."""
        page_n = number(request.query_params.get("page")) or 1
        found = self._requests.newest(LIST_N + 1, (page_n - 1) * LIST_N)
        template = "request_list.html" if "fragment" in request.query_params else "requests.html"
        shown = [(each, self._board.row(each.dev)) for each in found[:LIST_N]]
        return self._renderer.page(request, template, found=shown, page_n=page_n, more=len(found) > LIST_N,
                                   now_ms=self._clock.now().wall_ms)

    def new(self, request: Request) -> Response:
        """GET /requests/new: the form for `dev`; without one, the choice of a device."""
        dev = request.query_params.get("dev", "")
        if not dev:
            return RedirectResponse("/?pick=1", SEE_OTHER)
        return self._form(request, dict.fromkeys(FIELDS, "") | {"dev": dev, "kind": "clip"} | self._last_hour(), "")

    async def make(self, request: Request) -> Response:
        return await run_in_threadpool(self._make, request, await _form(request))

    def one(self, request: Request) -> Response:
        """GET /requests/ID; with `fragment`, only the part that changes."""
        found = self._known(request)
        steps = self._requests.steps(found.id)
        checks = [step for step in steps if step.what in (CHECKED, HOLDS_NOT)]
        template = "request_state.html" if "fragment" in request.query_params else "request.html"
        return self._renderer.page(
            request, template, each=found, row=self._board.row(found.dev), steps=steps, receipt=_receipt(found),
            arrived=next((step for step in steps if step.what == "done"), None), check=checks[-1] if checks else None,
            holds_not=HOLDS_NOT, in_words=in_words, now_ms=self._clock.now().wall_ms)

    def cancel(self, request: Request) -> Response:
        found = self._known(request)
        self._officers.cancel(found, request.state.officer)
        return _back_to(found.id)

    def check(self, request: Request) -> Response:
        """POST /requests/ID/check: checks the stored files again."""
        found = self._kept(request)
        self._officers.check(found, request.state.officer)
        return _back_to(found.id)

    def package(self, request: Request) -> Response:
        """POST /requests/ID/package: the stored files as a zip archive."""
        name, pieces = self._officers.hand_out(self._kept(request), request.state.officer)
        return StreamingResponse(pieces, media_type="application/zip", headers={
            "content-disposition": f"attachment; filename=\"{name.encode('ascii', 'replace').decode()}.zip\""})

    def _make(self, request: Request, given: Mapping[str, str]) -> Response:
        fields = {name: given.get(name, "") for name in FIELDS}
        kind: Kind = "snapshot" if given.get("kind") == "snapshot" else "clip"
        if fields["cam"] not in self._devices.cameras(fields["dev"]):
            return self._form(request, fields | {"kind": kind}, "cam")
        try:
            made = self._officers.make(kind, fields, given.get("once", ""), request.state.officer)
        except BadOrder as refusal:
            return self._form(request, fields | {"kind": kind}, refusal.code)
        return _back_to(made)

    def _form(self, request: Request, given: Mapping[str, str], refusal: str) -> Response:
        if (row := self._board.row(given["dev"])) is None or not row.dev:
            raise HTTPException(404)
        known = self._renderer.words(request).purposes
        purposes = [*known.items(), *((word, word) for word in self._requests.purposes() if word not in known)]
        now = datetime.fromtimestamp(self._clock.now().wall_ms / 1000).astimezone()
        return self._renderer.page(
            request, "request_form.html", 422 if refusal else 200, row=row,
            cameras=[(name, name) for name in self._devices.cameras(row.dev)], given=given, refusal=refusal,
            at=PLACES.get(refusal, refusal), purposes=purposes, latest=_local(now), now_ms=_ms(now),
            once=secrets.token_hex(8))

    def _last_hour(self) -> dict[str, str]:
        now = datetime.fromtimestamp(self._clock.now().wall_ms / 1000).astimezone()
        return {"from": _local(now - timedelta(hours=1)), "to": _local(now)}

    def _known(self, request: Request) -> PictureRequest:
        if (found := self._requests.find(request.path_params["id"])) is None:
            raise HTTPException(404)
        return found

    def _kept(self, request: Request) -> PictureRequest:
        found = self._known(request)
        if found.place is None:
            raise HTTPException(404)
        return found


async def _form(request: Request) -> Mapping[str, str]:
    if (found := await read_form(request, FORM_B_MAX)) is None:
        raise HTTPException(413)
    return found


def _receipt(request: PictureRequest) -> Receipt | None:
    return msgspec.json.decode(request.receipt, type=Receipt) if request.receipt else None


def _local(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def _back_to(request_id: str) -> Response:
    return RedirectResponse(f"/requests/{request_id}", SEE_OTHER)
