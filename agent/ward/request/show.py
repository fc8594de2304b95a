"""Requests as tables, lines and JSON."""
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.ward.requests import PictureRequest, RequestStep

COLOURS = {"done": "green", "failed": "red", "refused": "yellow", "expired": "yellow", "cancelled": "dim"}
COLUMNS = ("request", "asked", "device", "what", "case", "state", "why")
SAYS = {"made": "written down, not sent", "sent": "sent; the device has not answered",
        "waiting": "waiting for the household", "running": "agreed to: being packed", "done": "here, and checked",
        "failed": "failed", "refused": "refused", "expired": "came to nothing in time", "cancelled": "cancelled"}

WHY = {"no_consent": "by the household's rule", "refused": "by the household", "lapsed": "nobody there has answered",
       "undated": "its recorder's clock was not right then, and nothing comes of it unless that time is found out",
       "no_answer": "its device has not answered within a day; should it have taken it, its answer still counts"}


def table(found: Sequence[PictureRequest]) -> RenderableType:
    """The list of requests."""
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for each in found:
        *cells, state, why = line(each)
        grid.add_row(*map(Text, cells), Text(state, style=COLOURS.get(each.state, "")), Text(why))
    return grid


def line(request: PictureRequest) -> tuple[str, ...]:
    """One request's cells in the order of the columns."""
    return (request.id, _spell(request.made_ms), request.dev, what(request), request.case_no, request.state,
            request.code or "")


def what(request: PictureRequest) -> str:
    """Camera and time of a request."""
    if request.begin_ms is None or request.end_ms is None:
        return f"{request.cam}, a picture"
    return f"{request.cam}, {_spell(request.begin_ms)} to {_spell(request.end_ms, '%H:%M:%S')}"


def whole(request: PictureRequest, steps: Sequence[RequestStep], folder: Path) -> RenderableType:
    """One request with all its fields and steps."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
            ("request", request.id), ("device", request.dev), ("what", what(request)), ("case", request.case_no),
            ("purpose", request.purpose), ("officer", request.officer), ("basis", request.basis),
            ("state", says(request)), ("lies in", str(folder / request.place) if request.place else "")):
        if value:
            grid.add_row(Text(name, style="bold"), Text(value))
    told = Table("when", "who", "what", "in words", box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for step in steps:
        told.add_row(_spell(step.at_ms), step.who, step.what, Text(step.detail or "", overflow="fold"))
    return Group(grid, "", told)


def says(request: PictureRequest) -> str:
    """Its state in words."""
    if request.state == "running" and request.total_b:
        return f"agreed to: {(request.sent_b or 0) / 1e6:.1f} of {request.total_b / 1e6:.1f} MB are here"
    number = f" (there it is number {request.told_n})" if request.state == "waiting" and request.told_n else ""
    why = f": {WHY.get(request.code, request.code)}" if request.code else ""
    return SAYS[request.state] + number + why


def as_json(request: PictureRequest, steps: Sequence[RequestStep] | None = None) -> str:
    """One request as JSON; with its steps, if they are given."""
    told: dict[str, Any] = {name: value for name, value in asdict(request).items() if value is not None}
    return msgspec.json.encode(told if steps is None else told | {"steps": [asdict(step) for step in steps]}).decode()


def _spell(wall_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(wall_ms / 1000).strftime(form)
