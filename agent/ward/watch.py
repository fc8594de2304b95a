"""`taimat ward watch`: who is there, who is not and why, from the ingest's database.

`python -m agent.ward.watch`: a live table on a terminal, lines that change for a pipe or a program.
"""
import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sql
from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.contract.wire import ward_side as told
from agent.ward import settings
from agent.ward import settings as roster
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.device_cache import read_devices
from agent.ward.presence import PresenceVerdict, State, presence
from agent.ward.register import Device
from agent.ward.settings import Roster

WORST_FIRST: tuple[State, ...] = ("offline", "stale", "never-seen", "maintenance", "online")
Payload = TypeVar("Payload", told.Birth, told.Health)


class Line(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One device; what is absent is unknown. *_ms are UTC by the ward's clock."""

    dev: str
    state: State
    why: str | None = None              # it is not online
    site: str | None = None
    agent: str | None = None            # its version
    clock: str | None = None            # unset | saved | rtc | ntp
    cond: list[str] = []                # what is wrong with it: codes, with the camera concerned
    event_kind: str | None = None       # its newest event,
    event_ms: int | None = None         # and when that came
    health_ms: int | None = None        # when it last told how it is
    outbox_n: int | None = None         # events that wait on it
    missing_n: int | None = None        # events that were announced by later ones


def lines(devices: Iterable[Device], expected: Roster, now_ms: int) -> list[Line]:
    """A line for each device that is known or expected, the worst first, then by place and id."""
    known = [line(device, now_ms, device.dev in expected.maintained) for device in devices]
    told_n = {each.dev for each in known}
    never = [_never(dev, expected) for dev in expected.devices if dev not in told_n]
    return sorted([*known, *never], key=lambda each: (WORST_FIRST.index(each.state), each.site or "", each.dev))


def line(device: Device, now_ms: int, maintained: bool = False) -> Line:
    """The line of one device."""
    verdict: PresenceVerdict = presence(device.standing, now_ms, maintained)
    birth, health = _read(told.Birth, device.birth), _read(told.Health, device.health)
    return Line(dev=device.dev, state=verdict.state, why=verdict.why, clock=device.clock,
                site=birth.site if birth else None, agent=birth.agent if birth else None,
                cond=[_condition(each) for each in health.cond] if health else [],
                outbox_n=health.outbox_n if health else None, health_ms=device.health_ms,
                event_kind=device.event_kind, event_ms=device.event_ms,
                missing_n=sum(hole.last - hole.first + 1 for hole in device.reach.holes) or None)


def _never(dev: str, expected: Roster) -> Line:
    if dev in expected.maintained:
        return Line(dev=dev, state="maintenance", why="never-seen")
    return Line(dev=dev, state="never-seen")


def _condition(condition: told.Condition) -> str:
    concerned = condition.c or condition.unit
    return f"{condition.code} ({concerned})" if concerned else condition.code


def _read(kind: type[Payload], text: str | None) -> Payload | None:
    return msgspec.json.decode(text, type=kind) if text else None


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


EVERY_S = 2.0
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT

Look = Callable[[], list[Line]]


def looker(own: settings.Settings, engine: sql.Engine) -> Look:
    """What gives the lines of this moment. Raises ConfigError; what it returns raises that or DatabaseFault."""
    roster.read(own.ward.devices_file)
    return lambda: lines(read_devices(engine), roster.read(own.ward.devices_file), time.time_ns() // 1_000_000)


def once(look: Look, json: bool) -> None:
    """Show it now."""
    if sys.stdout.isatty() and not json:
        Console().print(table(look(), time.time()))
    else:
        _print(look(), json)


def follow(look: Look, json: bool) -> None:
    """Show it again and again, until interrupted."""
    if sys.stdout.isatty() and not json:
        with Live(table(look(), time.time()), screen=True, auto_refresh=False) as live:
            while True:
                live.update(table(look(), time.time()), refresh=True)
                time.sleep(EVERY_S)
    for changed in _changes(look):
        _print(changed, json)
        time.sleep(EVERY_S)


def _changes(look: Look) -> Iterator[list[Line]]:
    """All lines at first, then those that have become others. A report that says the same as before changes nothing."""
    before: dict[str, Line] = {}
    while True:
        found = look()
        now = {each.dev: msgspec.structs.replace(each, health_ms=None) for each in found}
        yield [each for each in found if before.get(each.dev) != now[each.dev]]
        before = now


def _print(found: Sequence[Line], json: bool) -> None:
    for each in found:
        print(msgspec.json.encode(each).decode() if json else "\t".join(cells(each, time.time())))
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward watch")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--json", action="store_true")
    wishes = parser.parse_args(argv)
    try:
        own = settings.load(wishes.config)
        look = looker(own, open_engine(own.database.url, read_only=True))
        (once if wishes.once else follow)(look, wishes.json)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except DatabaseFault as error:
        print(error, file=sys.stderr)
        return EXIT_DATABASE
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()      # the interpreter would complain about the pipe at its end
    return 0


if __name__ == "__main__":
    sys.exit(main())
