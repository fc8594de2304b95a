"""The desk's pages of devices: all of them, and one with all that is known of it."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import msgspec
import sqlalchemy as sql
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from agent.core.contract.wire.ward_side import Code, Line
from agent.core.health.conditions import ConditionText
from agent.host.clock import Clock
from agent.look.device_words import condition_texts
from agent.look.forms import number
from agent.ward import database
from agent.ward.desk.board import DeskBoard
from agent.ward.desk.render import DeskRenderer
from agent.ward.desk.rows import PAGE_N, WORST_FIRST, DeskRow, chosen, counted
from agent.ward.requests import PictureRequests

EVENTS_N, REQUESTS_N, SEARCH_MAX = 20, 10, 100
MISSING = "missing"
CAMERAS_MAX = 32
Kind = TypeVar("Kind", bound=Struct)


class _Camera(Struct, frozen=True):
    c: Line
    st: Code | None = None
    fault: Code | None = None
    rec: bool | None = None


class _ToldCameras(Struct, frozen=True):
    cams: Annotated[list[_Camera], Meta(max_length=CAMERAS_MAX)] = []


@dataclass(frozen=True, slots=True)
class DeviceCamera:
    """One camera by its name; what is not known is None."""

    name: str
    state: str | None = None        # ok | starting | retrying | stalled | paused | ended | failed
    fault: str | None = None
    recording: bool | None = None


def cameras(birth: str | None, health: str | None) -> list[DeviceCamera]:
    """Those that the device names, in its order."""
    states = {each.c: each for each in _read(health).cams}
    named = dict.fromkeys([*(each.c for each in _read(birth).cams), *states])
    return [DeviceCamera(name, found.st, found.fault, found.rec) if (found := states.get(name)) else DeviceCamera(name)
            for name in named]


def _read(text: str | None) -> _ToldCameras:
    try:
        return msgspec.json.decode(text, type=_ToldCameras) if text else _ToldCameras()
    except msgspec.DecodeError:
        return _ToldCameras()


class DevicePages:
    """Their handlers run on a thread: they read the database."""

    def __init__(self, board: DeskBoard, engine: sql.Engine, requests: PictureRequests, renderer: DeskRenderer,
                 clock: Clock) -> None:
        self._board, self._engine, self._requests = board, engine, requests
        self._renderer, self._clock = renderer, clock

    def devices(self, request: Request) -> Response:
        """GET /: `state`, `q` (words to look for) and `page`; with `pick`, to ask one of them for pictures.

        With `fragment`, the list alone.
        """
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

    def cameras(self, dev: str) -> list[str]:
        """The names of that device's cameras."""
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
    """Each filter with how many it leaves: all, those on which something is missing, and each state."""
    missing_n = sum(not row.green for row in found)
    return [("", len(found)), (MISSING, missing_n), *counted(found).items()]


def _address(state: str, text: str, pick: bool) -> str:
    given = (("state", state), ("q", text), ("pick", "1" if pick else ""))
    return "/?" + urlencode({name: value for name, value in given if value} | {"page": ""})


def _conditions(row: DeskRow, said: dict[str, ConditionText]) -> list[tuple[str, ConditionText | None]]:
    return [(each, said.get(each.partition(" ")[0])) for each in row.cond]
