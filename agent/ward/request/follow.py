"""Follows a request to its end in the database, where the ingest writes what devices answer.

It stands alone: of the commands for requests it alone keeps a progress bar.
"""
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn

from agent.ward.request.show import as_json, says
from agent.ward.requests import PictureRequest

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
    """Shows a column once the size of the upload is known."""

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
