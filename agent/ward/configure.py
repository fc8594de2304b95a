"""`taimat ward configure`: sets on devices what a ward may set there, and shows what they made of it.

`python -m agent.ward.configure`
"""
import argparse
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from agent.config.load import ConfigError
from agent.core.household.ward_settings import KEYS, BadWish, Word, demand
from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward import settings as roster
from agent.ward.command_signer import CommandKey
from agent.ward.configuring import Desk, Report, listens_to
from agent.ward.opslink import EXIT_UNDONE, OpsLink, ended

COLUMNS = ("device", "state", "why", "in effect", "not as wished")
COLOURS = {"applied": "green", "refused": "red", "silent": "yellow"}
LOOK_S = 2.0                    # what is retained comes at once


def wished(pairs: Iterable[str], file: Path | None) -> dict[str, Any]:
    """The document that is asked for: the file's keys, and those of "key=value" on top. Raises ConfigError."""
    document = {**(_in_file(file) if file else {}), **dict(map(_pair, pairs))}
    try:
        demand(document)
    except BadWish as bad:
        raise ConfigError(f"{bad.key}: {_takes(bad)}") from bad
    return document


def _in_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; it has a line for each key, as in health_int_s = 60") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _pair(text: str) -> tuple[str, int | str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ConfigError(f"--set {text}: takes KEY=VALUE, as in health_int_s=60")
    return name, int(value) if value.isdecimal() else value


def _takes(bad: BadWish) -> str:
    if bad.code == "unknown_setting":
        return f"a ward can't set that; it can set {', '.join(KEYS)}"
    kind = KEYS[bad.key].kind
    return f"takes {', '.join(kind.words)}" if isinstance(kind, Word) else (
        f"takes a whole number from {kind.least} to {kind.most}")


def cells(report: Report) -> tuple[str, ...]:
    """One device's line in the order of the columns."""
    why = " ".join(filter(None, (report.code, report.key)))
    if report.st == "silent":
        why = "no answer"
    pairs = (", ".join(f"{key}={json.dumps(value)}" for key, value in table.items())
             for table in (report.cfg, report.clamped))
    return (report.dev, report.st, why, *pairs)


def show(reports: Iterator[Report], as_json: bool) -> bool:
    """Print them as they come, or as a table on a terminal; returns whether all is as it was wished for or clamped."""
    heard = []
    for report in reports:
        heard.append(report)
        if as_json:
            print(msgspec.json.encode(report).decode(), flush=True)
        elif not sys.stdout.isatty():
            print("\t".join(cells(report)), flush=True)
    if sys.stdout.isatty() and not as_json:
        Console().print(_table(heard))
    return all(report.st == "applied" for report in heard)


def _table(reports: Iterable[Report]) -> Table:
    grid = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for each in reports:
        dev, state, *rest = cells(each)
        grid.add_row(dev, f"[{COLOURS[state]}]{state}[/]", *rest)
    return grid


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code. Raises ConfigError, KeyProblem and OpsFault."""
    own, clock = settings.load(wishes.config), SystemClock()
    if wrong := [dev for dev in wishes.devices if not roster.ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    document = wished(wishes.set, wishes.file)
    only_look = not (document or wishes.clear or wishes.file)
    key = None if only_look else CommandKey.load(own.ops.command_key)
    with OpsLink(own, listens_to(own.ward.ward, wishes.devices), clock) as ops:
        desk = Desk(ops, own.ward.ward, wishes.devices)
        reports = desk.ask(key, document, clock.now().wall_ms, wishes.wait) if key else desk.last(LOOK_S)
        all_well = show(reports, wishes.json)
    return 0 if all_well else EXIT_UNDONE


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward configure")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--clear", action="store_true")
    parser.add_argument("--wait", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("devices", nargs="+")
    return ended("configure", lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
