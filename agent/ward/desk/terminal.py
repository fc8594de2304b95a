"""`taimat ward watch --desk`: the desk's devices in a terminal, first those that lack most.

It is a file of its own, because the page does not need a terminal's libraries, nor `watch` the desk.
"""
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sql
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward.desk.rows import LIGHTS, DeskBoard, DeskRow, counted
from agent.ward.watch import COLOURS, LineView

COLUMNS = ("device", "household", "site", "state", *LIGHTS, "certificate", "what is missing")
SIGNS = {"good": ("●", "green"), "bad": ("○", "red"), "unknown": ("·", "dim")}
STATE_COLOURS = COLOURS | {"waiting": "magenta", "enrolled": "cyan"}


def view(own: settings.Settings, engine: sql.Engine) -> LineView[DeskRow]:
    board = DeskBoard(own, engine, SystemClock())
    return LineView(board.rows, table, cells, lambda row: row.key, lambda row: row)


def table(found: Sequence[DeskRow], _now_s: float) -> RenderableType:
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in found:
        key, household, site, state, *_, until, missing = cells(row, 0)
        lights = [Text(*SIGNS[light], justify="center") for light in row.lights.each.values()]
        grid.add_row(key, household, site, Text(state, style=STATE_COLOURS[row.state]), *lights, until,
                     Text(missing, style="red" if row.alarms else ""))
    green_n = sum(row.green for row in found)
    states = [f"{n} {state}" for state, n in counted(found).items()]
    return Group(Text(", ".join([f"{green_n} of {len(found)} devices are green", *states])), grid)


def cells(row: DeskRow, _now_s: float) -> Sequence[str]:
    until = f"{datetime.fromtimestamp(row.until_ms / 1000):%Y-%m-%d}" if row.until_ms else ""
    missing = [*row.alarms, *(f"{name}: {row.hints[name]}" if row.hints.get(name) else name
                              for name in row.lights.missing)]
    return (row.key, row.household or row.title, row.site, f"{row.state}: {row.why}" if row.why else row.state,
            *row.lights.each.values(), until, "; ".join(missing))
