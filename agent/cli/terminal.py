"""How the commands look: colours and tables on a terminal, plain lines in a pipe, times in the machine's own zone."""
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

MARKS = "~ the clock was not sure of this time    ? the clock was not set: time since the machine was started"


def console() -> Console:
    """Where results go; knows by itself whether that is a terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def when(wall_ms: int, mono_ms: int, clock: str, sure: bool) -> str:
    """A stored moment in local time, marked where that is not `sure`; without a date, the time since the start."""
    if sure:
        return f" {local(wall_ms)}"
    if clock == "unset":
        return f"?{'+' + str(timedelta(seconds=mono_ms // 1000)):>19}"
    return f"~{local(wall_ms)}"


def local(wall_ms: int) -> str:
    """A moment in the machine's own zone."""
    return datetime.fromtimestamp(wall_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def length(dur_ms: int | None) -> str:
    """A duration as people read it: "12.3 s", "4:05 min"; "" while unknown."""
    if dur_ms is None:
        return ""
    return f"{dur_ms / 1000:.1f} s" if dur_ms < 60_000 else f"{dur_ms // 60_000}:{dur_ms // 1000 % 60:02d} min"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 clip", "3 clips"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(count_b: int | None) -> str:
    """Bytes with a decimal unit, as on the box of a card: "3.4 MB"; "" while unknown."""
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
    """Print rows: a table on a terminal, tab-separated lines without a heading in a pipe."""
    out = console()
    if not out.is_terminal:
        for row in rows:
            print("\t".join(cell.strip() for cell in row))
        return
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", no_wrap=column not in fold,
                        overflow="fold" if column in fold else "ellipsis")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    out.print(grid)


def json_line(value: object) -> None:
    """Print one JSON object on a line of its own, at once, so that a program on the other end of a pipe sees it."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
