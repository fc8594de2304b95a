"""`taimat ward watch`: the presence of each device, and why it is away, from the ingest's database.

A terminal gets a live table; a pipe or a program gets the lines that change.
"""
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import sqlalchemy as sql
from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.harmless import one_line
from agent.ward import quota, register, settings, ward_side
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.device_cache import read_devices
from agent.ward.exits import EXIT_NOT_WRITTEN, ended
from agent.ward.presence import DevicePresence, State, presence
from agent.ward.register import DeviceRecord
from agent.ward.settings import Roster

WORST_FIRST: tuple[State, ...] = ("offline", "stale", "never-seen", "maintenance", "online")
Payload = TypeVar("Payload", ward_side.Birth, ward_side.Health)


class WatchLine(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One device; unknown fields are absent. *_ms are UTC by the ward's clock."""

    dev: str
    state: State
    why: str | None = None              # the reason if it is not online
    site: str | None = None
    agent: str | None = None            # the version
    clock: str | None = None            # unset | saved | rtc | ntp
    cond: list[str] = []                # codes of its conditions, with the camera concerned, and of what it is over
    event_kind: str | None = None       # its newest event,
    event_ms: int | None = None         # and when that came
    health_ms: int | None = None        # when its last health report came
    outbox_n: int | None = None         # events that wait on it
    missing_n: int | None = None        # events that were announced by later ones


def lines(devices: Iterable[DeviceRecord], expected: Roster, now_ms: int,
          overs: Mapping[str, Sequence[str]]) -> list[WatchLine]:
    """Worst first, then by site and id; `overs` is what devices exceed their share of."""
    known = [line(device, now_ms, device.dev in expected.maintained, overs.get(device.dev, ())) for device in devices]
    told_n = {each.dev for each in known}
    never = [_never(dev, expected) for dev in expected.devices if dev not in told_n]
    return sorted([*known, *never], key=lambda each: (WORST_FIRST.index(each.state), each.site or "", each.dev))


def line(device: DeviceRecord, now_ms: int, maintained: bool = False, overs: Sequence[str] = ()) -> WatchLine:
    verdict: DevicePresence = presence(device.standing, now_ms, maintained)
    birth, health = _read(ward_side.Birth, device.birth), _read(ward_side.Health, device.health)
    if birth and "health" in birth.withheld:
        health = None               # what is known of it is of before
    left = register.left_days(birth.cert_not_after, now_ms) if birth else None
    own = [*overs, *([] if left is None else [f"cert_ends ({left} d)"])]
    return WatchLine(dev=device.dev, state=verdict.state, why=verdict.why, clock=device.clock,
                     site=birth.site if birth else None, agent=birth.agent if birth else None,
                     cond=[*own, *(_condition(each) for each in health.cond)] if health else own,
                     outbox_n=health.outbox_n if health else None, health_ms=device.health_ms,
                     event_kind=device.event_kind, event_ms=device.event_ms,
                     missing_n=sum(gap.last - gap.first + 1 for gap in device.reach.gaps) or None)


def _never(dev: str, expected: Roster) -> WatchLine:
    if dev in expected.maintained:
        return WatchLine(dev=dev, state="maintenance", why="never-seen")
    return WatchLine(dev=dev, state="never-seen")


def _condition(condition: ward_side.Condition) -> str:
    concerned = condition.c or condition.unit
    return f"{condition.code} ({concerned})" if concerned else condition.code


def _read(kind: type[Payload], text: str | None) -> Payload | None:
    return msgspec.json.decode(text, type=kind) if text else None


COLOURS = {"online": "green", "stale": "yellow", "offline": "red", "never-seen": "magenta", "maintenance": "cyan"}
COLUMNS = ("device", "site", "state", "why", "clock", "conditions", "last event", "waiting", "missing", "version")
UNITS_S = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table(found: Sequence[WatchLine], now_s: float) -> RenderableType:
    """Returns the lines as a table, below the number of devices in each state. `now_s` is UTC, s since 1970."""
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for each in found:
        device, site, state, *rest = cells(each, now_s)
        grid.add_row(device, site, Text(state, style=COLOURS[each.state]), *map(Text, rest))
    counted = Counter(each.state for each in found)
    return Group(Text(", ".join([f"{len(found)} devices", *(f"{counted[each]} {each}" for each in WORST_FIRST)])), grid)


def cells(line: WatchLine, now_s: float) -> tuple[str, ...]:
    event = f"{line.event_kind} {ago(now_s - line.event_ms / 1000)}" if line.event_ms is not None else ""
    numbers = ("" if n is None else str(n) for n in (line.outbox_n, line.missing_n))
    return (line.dev, one_line(line.site or ""), line.state, line.why or "", line.clock or "", ", ".join(line.cond),
            event, *numbers, one_line(line.agent or ""))


def ago(age_s: float) -> str:
    """In the largest whole unit: "3 min ago"."""
    for unit_s, name in UNITS_S:
        if age_s >= unit_s:
            return f"{int(age_s // unit_s)} {name} ago"
    return "now"


EVERY_S = 2.0

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class LineView(Generic[Line]):
    look: Callable[[], Sequence[Line]]      # the lines of the moment; raises ConfigError and DatabaseFault
    table: Callable[[Sequence[Line], float], RenderableType]
    cells: Callable[[Line, float], Sequence[str]]
    named: Callable[[Line], str]
    lasting: Callable[[Line], Line]         # of a line what counts as a change


def looker(own: settings.Settings, engine: sql.Engine) -> LineView[WatchLine]:
    """Raises ConfigError."""
    settings.read_roster(own.ward.devices_file)

    def look() -> list[WatchLine]:
        now_ms = time.time_ns() // 1_000_000
        return lines(read_devices(engine), settings.read_roster(own.ward.devices_file), now_ms,
                     quota.read_excesses(engine, now_ms))
    return LineView(look, table, cells, lambda each: each.dev,
                    lambda each: msgspec.structs.replace(each, health_ms=None))


def once(view: LineView[Line], json: bool) -> None:
    if sys.stdout.isatty() and not json:
        Console().print(view.table(view.look(), time.time()))
    else:
        _print(view, view.look(), json)


def follow(view: LineView[Line], json: bool) -> None:
    if sys.stdout.isatty() and not json:
        with Live(view.table(view.look(), time.time()), screen=True, auto_refresh=False) as live:
            while True:
                live.update(view.table(view.look(), time.time()), refresh=True)
                time.sleep(EVERY_S)
    for changed in _changes(view):
        _print(view, changed, json)
        time.sleep(EVERY_S)


def _changes(view: LineView[Line]) -> Iterator[list[Line]]:
    """Yields all lines at first, then changed ones. A new health report is no change."""
    before: dict[str, Line] = {}
    while True:
        found = view.look()
        now = {view.named(each): view.lasting(each) for each in found}
        yield [each for each in found if before.get(view.named(each)) != now[view.named(each)]]
        before = now


def _print(view: LineView[Line], found: Sequence[Line], json: bool) -> None:
    for each in found:
        print(msgspec.json.encode(each).decode() if json else "\t".join(view.cells(each, time.time())))
    sys.stdout.flush()


@ended({ConfigError: EXIT_BAD_CONFIG, DatabaseFault: EXIT_NOT_WRITTEN})
def run(config: Path, view: Callable[[settings.Settings, sql.Engine], LineView[Line]], is_once: bool,
        as_json: bool) -> int:
    own = settings.load(config)
    found = view(own, open_engine(own.database.url, read_only=True))
    try:
        (once if is_once else follow)(found, as_json)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()      # the interpreter would complain about the pipe at its end
    return 0
