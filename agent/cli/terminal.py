"""Output of the commands: colours and tables on a terminal, plain lines in a pipe, times in the machine's zone."""
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agent.core.harmless import lines, one_line
from agent.core.moment import LAST_MS, moment

SHOWN_EVERY_S = 0.1
MARKS = "~ the clock was not sure of this time    ? the clock was not set: time since the machine was started"


class _Harmless(Console):
    """Prints strangers' texts without their control codes. Colours are no part of a segment's text."""

    def render(self, *what: Any) -> Iterator[Segment]:
        return (part if part.control else part._replace(text=lines(part.text)) for part in super().render(*what))


def console(soft_wrap: bool = True) -> Console:
    """Returns the console for results. With `soft_wrap`, the terminal breaks the lines."""
    return _Harmless(highlight=False, soft_wrap=soft_wrap)


@contextlib.contextmanager
def working(what: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Shows progress on a terminal. Call the result now and then, with new words or "" for the same.

    It starts no thread, because its callers fork.
    """
    out, spinner = console(soft_wrap=False), Spinner("dots", f" {what}")
    if quiet or not out.is_terminal:
        yield lambda words="": None
        return
    with Live(spinner, console=out, auto_refresh=False, transient=True) as live:
        shown_s = float("-inf")

        def tell(words: str = "") -> None:
            nonlocal shown_s
            spinner.update(text=f" {words}" if words else "")
            if time.monotonic() - shown_s >= SHOWN_EVERY_S:
                shown_s = time.monotonic()
                live.refresh()
        yield tell


def when(wall_ms: int, mono_ms: int, clock: str, sure: bool) -> str:
    """A stored moment in local time, with a mark unless it is `sure`; without a date, the time since the start."""
    if sure:
        return f" {local(wall_ms)}"
    if clock == "unset":
        return f"?{'+' + str(timedelta(seconds=min(max(mono_ms, 0), LAST_MS) // 1000)):>19}"
    return f"~{local(wall_ms)}"


def local(wall_ms: int) -> str:
    return moment(wall_ms).strftime("%Y-%m-%d %H:%M:%S")


def length(dur_ms: int | None) -> str:
    """A duration for people: "12.3 s", "4:05 min"; "" if unknown."""
    if dur_ms is None:
        return ""
    return f"{dur_ms / 1000:.1f} s" if dur_ms < 60_000 else f"{dur_ms // 60_000}:{dur_ms // 1000 % 60:02d} min"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 clip", "3 clips"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(count_b: int | None) -> str:
    """Bytes with a decimal unit, as on a card's box: "3.4 MB"; "" if unknown."""
    if count_b is None:
        return ""
    value = float(count_b)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit != "MB" else f"{value:.1f} MB"
        value /= 1000
    return f"{value:.1f} GB"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = (),
          fold: Sequence[str] = ()) -> None:
    """Prints a table on a terminal, and tab-separated lines without a heading in a pipe."""
    out = console()
    if not out.is_terminal:
        for row in rows:
            print("\t".join(one_line(cell.strip()) for cell in row))
        return
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", no_wrap=column not in fold,
                        overflow="fold" if column in fold else "ellipsis")
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))
    out.print(grid, soft_wrap=False)


def json_line(value: object) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)
