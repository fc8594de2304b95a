"""Follows a request until it is at its end, from the database: the ingest hears the answers, whoever looks."""
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn

from agent.ward.request.show import as_json, says
from agent.ward.requests import Request

EVERY_S = 0.5
Look = Callable[[], Request]


def follow(look: Look, json: bool) -> Request:
    """Show it as it changes; returns how it ended. An interruption leaves it as it is."""
    if sys.stdout.isatty() and not json:
        return _on_terminal(look)
    request = look()
    for request in changes(look):
        print(as_json(request) if json else says(request), flush=True)
    return request


def changes(look: Look) -> Iterator[Request]:
    """The request now, and whenever it has become another, until its end."""
    before = None
    while True:
        if (request := look()) != before:
            yield request
        if not request.open:
            return
        before = request
        time.sleep(EVERY_S)


class _OnceKnown(ProgressColumn):
    """Nothing, as long as nobody knows how much there is to come."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        return self._column.render(task) if task.total else ""


def _on_terminal(look: Look) -> Request:
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), _OnceKnown(BarColumn()),
                  _OnceKnown(DownloadColumn()), console=Console(), transient=True) as progress:
        task = progress.add_task("", total=None)
        request = look()
        for request in changes(look):
            progress.update(task, description=says(request), total=request.total_b, completed=request.sent_b or 0)
    return request
