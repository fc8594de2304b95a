"""The desk's pages of requests: the list, a new one, and one with its steps, its check and its package."""
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from agent.core.contract.wire.requests import Receipt
from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.look.forms import number, read_form
from agent.ward.desk.board import DeskBoard
from agent.ward.desk.device_pages import DeskRenderer, DevicePages
from agent.ward.desk.requests import CHECKED, HOLDS_NOT, OfficersRequests
from agent.ward.request.desk import BadOrder
from agent.ward.requests import PictureRequest, PictureRequests

LIST_N = 50
FIELDS = ("dev", "cam", "case", "purpose", "basis", "from", "to")
# Where a refusal stands on the form, if not at the field of its own name.
PLACES = {"to_before": "to", "to_ahead": "to", "too_long": "to"}
FORM_B_MAX = 16_384
SEE_OTHER = 303


class RequestPages:
    """Handlers that read or ask run on a thread."""

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
            holds_not=HOLDS_NOT, now_ms=self._clock.now().wall_ms)

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
            at=PLACES.get(refusal, refusal), purposes=purposes, latest=_local(now), once=secrets.token_hex(8))

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
