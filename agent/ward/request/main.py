"""`taimat ward request`: asks a device for pictures, and shows what became of it."""
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn

from agent.core.household.sharing_rules import Kind
from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward.database import open_engine
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.opslink import OpsFault
from agent.ward.request import form, show
from agent.ward.request.desk import RequestDesk
from agent.ward.request.form import BadOrder
from agent.ward.request.show import as_json, says
from agent.ward.requests import PictureRequest, PictureRequests

EXIT_NOT_UNDERSTOOD = 2
command = ended({**OPS, BadOrder: EXIT_NOT_UNDERSTOOD})
EVERY_S = 0.5
Look = Callable[[], PictureRequest]


def follow(look: Look, json: bool) -> PictureRequest:
    """Show the request as it changes; returns it once it has ended. An interruption does not cancel it."""
    if sys.stdout.isatty() and not json:
        return _on_terminal(look)
    request = look()
    for request in changes(look):
        print(as_json(request) if json else says(request), flush=True)
    return request


def changes(look: Look) -> Iterator[PictureRequest]:
    """The request now and after each change, until it has ended."""
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
    """Ask for a clip or a snapshot by these options, and follow it if somebody `waits`."""
    own, clock = settings.load(config), SystemClock()
    requests = PictureRequests(open_engine(own.database.url))
    wish = form.read(kind, given, datetime.fromtimestamp(clock.now().wall_ms / 1000, UTC))
    request = RequestDesk(own, requests, clock).ask(wish)
    if not waits:
        print(show.as_json(request) if as_json else
              f"asked: {request.id}\nwhat becomes of it: taimat ward request show {request.id}")
        return 0
    try:
        over = follow(lambda: _known(requests, request.id), as_json)
    except KeyboardInterrupt:
        print(f"\nit goes on: taimat ward request show {request.id}, or cancel {request.id}", file=sys.stderr)
        return EXIT_UNDONE
    if sys.stdout.isatty() and not as_json:
        print(f"{over.id}: {show.says(over)}")
    return 0 if over.state == "done" else EXIT_UNDONE


@command
def run_list(config: Path, last: int, as_json: bool) -> int:
    """Print the newest requests."""
    found = PictureRequests(open_engine(settings.load(config).database.url, read_only=True)).newest(last)
    if sys.stdout.isatty() and not as_json:
        Console().print(show.table(found))
    else:
        for each in found:
            print(show.as_json(each) if as_json else "\t".join(show.line(each)))
    return 0


@command
def run_show(config: Path, request_id: str, as_json: bool) -> int:
    """Print one request with its steps."""
    own = settings.load(config)
    requests = PictureRequests(open_engine(own.database.url, read_only=True))
    request, steps = _known(requests, request_id), requests.steps(request_id)
    if as_json:
        print(show.as_json(request, steps))
    else:
        Console(soft_wrap=True).print(show.whole(request, steps, Path(own.intake.folder)))
    return 0


@command
def run_cancel(config: Path, request_id: str) -> int:
    """Take a request back."""
    own = settings.load(config)
    requests = PictureRequests(open_engine(own.database.url))
    request = _known(requests, request_id)
    try:
        was_open = RequestDesk(own, requests, SystemClock()).cancel(request)
    except OpsFault as fault:
        print(f"{request.id}: cancelled: nothing is taken in for it any more; but its device does not know: {fault}")
        return 0
    if not was_open:
        print(f"{request.id}: {show.says(_known(requests, request.id))}; there is nothing to cancel", file=sys.stderr)
        return EXIT_UNDONE
    print(f"{request.id}: cancelled")
    return 0


def _known(requests: PictureRequests, request_id: str) -> PictureRequest:
    if (request := requests.find(request_id)) is None:
        raise BadOrder("unknown", f"{request_id}: there is no such request; taimat ward request list shows them")
    return request
