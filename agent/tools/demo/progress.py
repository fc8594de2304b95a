"""One progress bar for everything in the demo that takes long; one plain line where there is no terminal."""
import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Column, DownloadColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

Progress = Callable[[float], None]      # told how much is done, in the total's unit


@contextlib.contextmanager
def bar(text: str, total: float | None, in_bytes: bool = False) -> Iterator[Progress]:
    """Show `text` and how far it is while the block runs; a `total` of None means that nobody knows."""
    out = Console(stderr=True)
    if not out.is_terminal:
        out.print(f"{text} ...", soft_wrap=True, highlight=False, markup=False)
        yield lambda _done: None
        return
    amount = DownloadColumn() if in_bytes else TaskProgressColumn()
    with RichProgress(TextColumn("{task.description}", markup=False, table_column=Column(ratio=2)), BarColumn(), amount,
                      TimeRemainingColumn(), console=out, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)
