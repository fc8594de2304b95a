"""`taimat ward configure`: sets on devices what a ward may set, by the signed command `set`; or shows what holds."""
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from rich.console import Console
from rich.table import Table

from agent.config.load import ConfigError
from agent.core.contract import wire
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.core.household.ward_settings import KEYS, BadSetting, check_allowed
from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.opslink import OpsLink
from agent.ward.orders import GOING_ON, order_all
from agent.ward.settings import Settings
from agent.ward.ward_side import Code, Line

COLUMNS = ("device", "state", "why", "in effect", "not as wished")
COLOURS = {"applied": "green", "refused": "red", "silent": "yellow"}
LOOK_S = 2.0                    # what is retained comes at once


class SettingsReport(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A device's settings, from its report or its answer; devices are not trusted, so each field is within bounds."""

    dev: str = ""                       # by the topic
    st: Literal["", "applied", "refused", "silent"] = ""
    code: Code | None = None
    ver: Annotated[int, Meta(ge=0, le=WHOLE_MAX - 1)] | None = None     # only in a report
    cfg: Annotated[dict[Code, int | float | Line], Meta(max_length=64)] = {}
    clamped: Annotated[dict[Code, Code], Meta(max_length=64)] = {}

    def cells(self) -> tuple[str, ...]:
        """One line, in the order of the columns."""
        why = "no answer" if self.st == "silent" else self.code or ""
        return (self.dev, self.st, why, *(", ".join(f"{key}={json.dumps(value)}" for key, value in table.items())
                                          for table in (self.cfg, self.clamped)))


def asked_for(pairs: Iterable[str], file: Path | None) -> dict[str, Any]:
    """The document: the file's keys, and those of "key=value" on top. Raises ConfigError."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; it has a line for each key, as in health_int_s = 60") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise ConfigError(f"--set {pair}: takes KEY=VALUE, as in health_int_s=60")
        document[name] = int(value) if value.isdecimal() else value
    try:
        check_allowed(document)
    except BadSetting as bad:
        raise ConfigError(f"{bad}: {_remedy(str(bad))}") from bad
    return document


def _remedy(name: str) -> str:
    if name not in KEYS:
        return f"a ward can't set that; it can set {', '.join(KEYS)}"
    values = KEYS[name].values
    return f"takes a whole number from {values[0]} to {values[-1]}" if isinstance(values, range) else (
        f"takes {', '.join(values)}")


def _ordered(own: Settings, devices: Sequence[str], document: Mapping[str, Any],
             patience_s: float) -> Iterator[SettingsReport]:
    """Sends the command to each device; yields the answers, then "silent" for the others. Raises OpsFault."""
    left = dict.fromkeys(devices)
    for dev, answer in order_all(own, devices, "set", document, SystemClock(), patience_s=patience_s):
        if answer.st not in GOING_ON and dev in left:
            del left[dev]
            state, code = ("applied", None) if answer.st == "done" else ("refused", answer.code or answer.st)
            yield msgspec.structs.replace(_read(answer.data, dev) or SettingsReport(dev=dev), st=state, code=code)
    yield from (SettingsReport(dev=dev, st="silent") for dev in left)


def _retained(own: Settings, devices: Sequence[str]) -> Iterator[SettingsReport]:
    """Yields each device's retained report, then "silent" for the others. Raises OpsFault."""
    left = {wire.Topics(own.ward.ward, dev).cfg_reported: dev for dev in devices}
    with OpsLink(own, list(left), SystemClock()) as ops:
        for arrived in ops.answers(LOOK_S):
            if arrived.topic in left and (report := _read(arrived.payload, left[arrived.topic])):
                del left[arrived.topic]
                yield report
            if not left:
                return
    yield from (SettingsReport(dev=dev, st="silent") for dev in left.values())


def _read(payload: bytes, dev: str) -> SettingsReport | None:
    """Returns the settings in effect on this device by a payload of it; None if it is not readable."""
    try:
        return msgspec.structs.replace(msgspec.json.decode(payload, type=SettingsReport), dev=dev, st="applied")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def show(heard: Iterable[SettingsReport], as_json: bool) -> bool:
    """Print them as they come, or as a table on a terminal; returns whether all is as it was wished for or clamped."""
    grid, all_well = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)), True
    for report in heard:
        all_well &= report.st == "applied"
        dev, state, *rest = report.cells()
        grid.add_row(dev, f"[{COLOURS[state]}]{state}[/]", *rest)
        if as_json:
            print(msgspec.json.encode(report).decode(), flush=True)
        elif not sys.stdout.isatty():
            print("\t".join((dev, state, *rest)), flush=True)
    if sys.stdout.isatty() and not as_json:
        Console().print(grid)
    return all_well


@ended(OPS)
def run(config: Path, names: Sequence[str], pairs: Sequence[str], file: Path | None, *, clear: bool, wait_s: float,
        as_json: bool) -> int:
    """Ask these devices, and print what they made of it; without any wish, what they have."""
    own = settings.load(config)
    if wrong := [dev for dev in names if not settings.ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    document = asked_for(pairs, file)
    heard = _ordered(own, names, document, wait_s) if document or clear or file else _retained(own, names)
    return 0 if show(heard, as_json) else EXIT_UNDONE
