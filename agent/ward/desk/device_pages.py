"""The desk's pages of devices and of the ward itself, and the renderer of all its pages."""
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
import sqlalchemy as sql
from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from agent.core.contract.wire.ward_side import Code, Line
from agent.core.health import texts
from agent.host.clock import Clock
from agent.look import words
from agent.look.forms import number
from agent.look.place import Place
from agent.look.templates import PageTemplates
from agent.look.words import LANGUAGES
from agent.ward import database
from agent.ward.authority import certificates, findings
from agent.ward.desk.board import DeskBoard
from agent.ward.desk.rows import PAGE_N, WORST_FIRST, DeskRow, chosen, counted
from agent.ward.requests import PictureRequests
from agent.ward.settings import Settings

HERE = Path(__file__).parent
PLACES = (
    Place("nav.devices", "/", "camera", below=("/devices/",)),
    Place("nav.requests", "/requests", "film", below=("/requests/",)),
    Place("nav.ward", "/ward", "ward"),
)


class DeskRenderer(PageTemplates):
    def __init__(self, own: Settings) -> None:
        super().__init__(HERE, {each: words.load(each, HERE / "i18n") for each in LANGUAGES}, own.desk.language)
        self._place = own.authority.name or own.ward.ward

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             **values: object) -> HTMLResponse:
        """Renders `template`; without an officer in the request's state, the page shows nothing of this ward."""
        officer = getattr(request.state, "officer", None)       # agent/ward/desk/main.py
        return self.answer(request, template, status, headers, bare=officer is None, place=self._place, places=PLACES,
                           officer=officer, **values)


EVENTS_N, REQUESTS_N, SEARCH_MAX = 20, 10, 100
MISSING = "missing"
CAMERAS_MAX = 32
Kind = TypeVar("Kind", bound=Struct)


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
    """The handlers run on a thread, because they read the database."""

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
        said = texts.VI if self._renderer.words(request).language == "vi" else texts.EN
        template = "device_state.html" if "fragment" in request.query_params else "device.html"
        return self._renderer.page(
            request, template, row=row, cameras=cameras(known.birth, known.health) if known else [],
            health_ms=known.health_ms if known else None, events=self._events(row), conditions=_conditions(row, said),
            requests=self._requests.newest(REQUESTS_N, dev=row.dev) if row.dev else [],
            now_ms=self._clock.now().wall_ms)

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


def _conditions(row: DeskRow, said: dict[str, texts.ConditionText]) -> list[tuple[str, texts.ConditionText | None]]:
    return [(each, said.get(each.partition(" ")[0])) for each in row.cond]


SOON_MS, ENDS_N = 60 * 86_400_000, 50


class Ending(NamedTuple):
    name: str
    until_ms: int


class WardPage:
    """The handler runs on a thread, because it reads files."""

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
