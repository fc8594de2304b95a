"""`taimat ward watch`: who is there, who is not and why, from the ingest's database.

`python -m agent.ward.watch`: a live table on a terminal, lines that change for a pipe or a program.
"""
import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sql
from rich.console import Console
from rich.live import Live

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.ward import roster, settings
from agent.ward.book import read_devices
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.overview import Line, lines
from agent.ward.show import cells, table

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
