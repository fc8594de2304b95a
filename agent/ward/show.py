"""The table of a ward's devices on a terminal."""
from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.ward.overview import WORST_FIRST, Line

COLOURS = {"online": "green", "stale": "yellow", "offline": "red", "never-seen": "magenta", "maintenance": "cyan"}
COLUMNS = ("device", "site", "state", "why", "clock", "conditions", "last event", "waiting", "missing", "version")
UNITS_S = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table(found: Sequence[Line], now_s: float) -> RenderableType:
    """All lines under a heading, and how many devices are in which state. `now_s` is UTC, s since 1970."""
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for each in found:
        device, site, state, *rest = cells(each, now_s)
        grid.add_row(device, site, Text(state, style=COLOURS[each.state]), *map(Text, rest))
    counted = Counter(each.state for each in found)
    return Group(Text(", ".join([f"{len(found)} devices", *(f"{counted[each]} {each}" for each in WORST_FIRST)])), grid)


def cells(line: Line, now_s: float) -> tuple[str, ...]:
    """A line's cells in the order of the columns; what is unknown is empty."""
    event = f"{line.event_kind} {ago(now_s - line.event_ms / 1000)}" if line.event_ms is not None else ""
    numbers = ("" if n is None else str(n) for n in (line.outbox_n, line.missing_n))
    return (line.dev, line.site or "", line.state, line.why or "", line.clock or "", ", ".join(line.cond), event,
            *numbers, line.agent or "")


def ago(age_s: float) -> str:
    """How long ago, in the largest whole unit: "3 min ago"."""
    for unit_s, name in UNITS_S:
        if age_s >= unit_s:
            return f"{int(age_s // unit_s)} {name} ago"
    return "now"
