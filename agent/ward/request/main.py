"""`taimat ward request`: asks a device for pictures, and shows requests as tables, lines and JSON."""
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from agent.core.household.sharing_rules import Kind
from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward.database import open_engine
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.opslink import OpsFault
from agent.ward.request import desk
from agent.ward.request.desk import BadOrder, RequestDesk
from agent.ward.requests import PictureRequest, PictureRequests, RequestStep

EXIT_NOT_UNDERSTOOD = 2
command = ended({**OPS, BadOrder: EXIT_NOT_UNDERSTOOD})
EVERY_S = 0.5
Look = Callable[[], PictureRequest]


def follow(look: Look, json: bool) -> PictureRequest:
    """Shows the request as it changes; returns it once it has ended. An interruption does not cancel it."""
    if sys.stdout.isatty() and not json:
        return _on_terminal(look)
    request = look()
    for request in changes(look):
        print(json_of(request) if json else says(request), flush=True)
    return request


def changes(look: Look) -> Iterator[PictureRequest]:
    before = None
    while True:
        if (request := look()) != before:
            yield request
        if not request.open:
            return
        before = request
        time.sleep(EVERY_S)


class _OnceKnown(ProgressColumn):
    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        return self._column.render(task) if task.total else ""


def _on_terminal(look: Look) -> PictureRequest:
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), _OnceKnown(BarColumn()),
                  _OnceKnown(DownloadColumn()), console=Console(), transient=True) as progress:
        task = progress.add_task("", total=None)
        request = look()
        for request in changes(look):
            progress.update(task, description=says(request), total=request.total_b, completed=request.sent_b or 0)
    return request


@command
def run_ask(config: Path, kind: Kind, given: Mapping[str, str], waits: bool, as_json: bool) -> int:
    own, clock = settings.load(config), SystemClock()
    requests = PictureRequests(open_engine(own.database.url))
    wish = desk.read_order(kind, given, datetime.fromtimestamp(clock.now().wall_ms / 1000, UTC))
    request = RequestDesk(own, requests, clock).ask(wish)
    if not waits:
        print(json_of(request) if as_json else
              f"asked: {request.id}\nwhat becomes of it: taimat ward request show {request.id}")
        return 0
    try:
        over = follow(lambda: _known(requests, request.id), as_json)
    except KeyboardInterrupt:
        print(f"\nit goes on: taimat ward request show {request.id}, or cancel {request.id}", file=sys.stderr)
        return EXIT_UNDONE
    if sys.stdout.isatty() and not as_json:
        print(f"{over.id}: {says(over)}")
    return 0 if over.state == "done" else EXIT_UNDONE


@command
def run_list(config: Path, last: int, as_json: bool) -> int:
    found = PictureRequests(open_engine(settings.load(config).database.url, read_only=True)).newest(last)
    if sys.stdout.isatty() and not as_json:
        Console().print(request_table(found))
    else:
        for each in found:
            print(json_of(each) if as_json else "\t".join(cells(each)))
    return 0


@command
def run_show(config: Path, request_id: str, as_json: bool) -> int:
    own = settings.load(config)
    requests = PictureRequests(open_engine(own.database.url, read_only=True))
    request, steps = _known(requests, request_id), requests.steps(request_id)
    if as_json:
        print(json_of(request, steps))
    else:
        Console(soft_wrap=True).print(request_whole(request, steps, Path(own.intake.folder)))
    return 0


@command
def run_cancel(config: Path, request_id: str) -> int:
    own = settings.load(config)
    requests = PictureRequests(open_engine(own.database.url))
    request = _known(requests, request_id)
    try:
        was_open = RequestDesk(own, requests, SystemClock()).cancel(request)
    except OpsFault as fault:
        print(f"{request.id}: cancelled: the ward accepts no upload for it; but its device does not know: {fault}")
        return 0
    if not was_open:
        print(f"{request.id}: {says(_known(requests, request.id))}; there is nothing to cancel", file=sys.stderr)
        return EXIT_UNDONE
    print(f"{request.id}: cancelled")
    return 0


def _known(requests: PictureRequests, request_id: str) -> PictureRequest:
    if (request := requests.find(request_id)) is None:
        raise BadOrder("unknown", f"{request_id}: there is no such request; taimat ward request list shows them")
    return request


COLOURS = {"done": "green", "failed": "red", "refused": "yellow", "expired": "yellow", "cancelled": "dim"}
COLUMNS = ("request", "asked", "device", "what", "case", "state", "why")
SAYS = {"made": "written down, not sent", "sent": "sent; the device has not answered",
        "waiting": "waiting for the household", "running": "agreed to: being packed", "done": "here, and checked",
        "failed": "failed", "refused": "refused", "expired": "came to nothing in time", "cancelled": "cancelled"}

WHY = {"no_consent": "by the household's rule", "refused": "by the household",
       "lapsed": "the household has not answered",
       "undated": "its recorder's clock was wrong then; it fails unless the recorder finds out the time",
       "no_answer": "its device has not answered within a day; a late answer still counts"}


def request_table(found: Sequence[PictureRequest]) -> RenderableType:
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for each in found:
        *others, state, why = cells(each)
        grid.add_row(*map(Text, others), Text(state, style=COLOURS.get(each.state, "")), Text(why))
    return grid


def cells(request: PictureRequest) -> tuple[str, ...]:
    return (request.id, _spell(request.made_ms), request.dev, what(request), request.case_no, request.state,
            request.code or "")


def what(request: PictureRequest) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return f"{request.cam}, a picture"
    return f"{request.cam}, {_spell(request.begin_ms)} to {_spell(request.end_ms, '%H:%M:%S')}"


def request_whole(request: PictureRequest, steps: Sequence[RequestStep], folder: Path) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
            ("request", request.id), ("device", request.dev), ("what", what(request)), ("case", request.case_no),
            ("purpose", request.purpose), ("officer", request.officer), ("basis", request.basis),
            ("state", says(request)), ("stored in", str(folder / request.place) if request.place else "")):
        if value:
            grid.add_row(Text(name, style="bold"), Text(value))
    history = Table("when", "who", "what", "in words", box=None, header_style="bold", pad_edge=False,
                    padding=(0, 2, 0, 0))
    for step in steps:
        history.add_row(_spell(step.at_ms), step.who, step.what, Text(step.detail or "", overflow="fold"))
    return Group(grid, "", history)


def says(request: PictureRequest) -> str:
    if request.state == "running" and request.total_b:
        return f"agreed to: {(request.sent_b or 0) / 1e6:.1f} of {request.total_b / 1e6:.1f} MB are here"
    number = f" (there it is number {request.told_n})" if request.state == "waiting" and request.told_n else ""
    why = f": {WHY.get(request.code, request.code)}" if request.code else ""
    return SAYS[request.state] + number + why


def json_of(request: PictureRequest, steps: Sequence[RequestStep] | None = None) -> str:
    values: dict[str, Any] = {name: value for name, value in asdict(request).items() if value is not None}
    if steps is not None:
        values["steps"] = [asdict(step) for step in steps]
    return msgspec.json.encode(values).decode()


def _spell(wall_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(wall_ms / 1000).strftime(form)
