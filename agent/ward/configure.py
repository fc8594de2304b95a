"""`taimat ward configure`: sets on devices what a ward may set there, and shows what they made of it.

What is asked for is signed and retained, so a device that is away gets it later.
"""
import functools
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from rich.console import Console
from rich.table import Table

from agent.config.load import ConfigError
from agent.core.contract import wire
from agent.core.contract.wire.ward_side import Code, Line
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.core.household.ward_settings import KEYS, BadSetting, check_allowed
from agent.host.clock import SystemClock
from agent.mqtt.connection import Outgoing
from agent.ward import settings
from agent.ward.command_signer import CommandKey
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.opslink import OpsLink

COLUMNS = ("device", "state", "why", "in effect", "not as wished")
COLOURS = {"applied": "green", "refused": "red", "silent": "yellow"}
LOOK_S = 2.0                    # what is retained comes at once
Ver = Annotated[int, Meta(ge=0, le=WHOLE_MAX - 1)]


class SettingsReport(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a device says of its configuration; devices are not trusted, so each field is within bounds."""

    dev: str = ""                       # by the topic
    st: Literal["applied", "refused", "silent"]
    ver: Ver
    code: Code | None = None
    key: Line | None = None
    cfg_ver: Ver | None = None
    cfg: Annotated[dict[Code, int | float | Line], Meta(max_length=64)] = {}
    clamped: Annotated[dict[Code, Code], Meta(max_length=64)] = {}

    def cells(self) -> tuple[str, ...]:
        """One line, in the order of the columns."""
        why = "no answer" if self.st == "silent" else " ".join(filter(None, (self.code, self.key)))
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
        raise ConfigError(f"{bad.key}: {_remedy(bad.key)}") from bad
    return document


def _remedy(name: str) -> str:
    if name not in KEYS:
        return f"a ward can't set that; it can set {', '.join(KEYS)}"
    values = KEYS[name].values
    return f"takes a whole number from {values[0]} to {values[-1]}" if isinstance(values, range) else (
        f"takes {', '.join(values)}")


def reports(ops: OpsLink, devices: Mapping[str, wire.Topics], patience_s: float, ver: int = 0,
            send: Callable[[str, int], None] | None = None) -> Iterator[SettingsReport]:
    """What each device has reported last; or its answer, where `send` asks it for something under the number `ver`.

    Those that say nothing in time come last, as "silent". Raises OpsFault.
    """
    left, heard = dict.fromkeys(devices, ver), {topics.cfg_reported: dev for dev, topics in devices.items()}
    if send:
        for dev in devices:
            send(dev, ver)
    for arrived in ops.answers(patience_s):
        report = _read(arrived.payload, heard.get(arrived.topic, ""))
        if report is None or report.dev not in left or send and report.ver != left[report.dev]:
            continue
        if send and report.code == "old_version" and (report.cfg_ver or 0) >= report.ver:
            left[report.dev] = (report.cfg_ver or 0) + 1        # somebody's clock was ahead of ours
            send(report.dev, left[report.dev])
            continue
        del left[report.dev]
        yield report
        if not left:
            return
    yield from (SettingsReport(dev=dev, st="silent", ver=asked) for dev, asked in left.items())


def _read(payload: bytes, dev: str) -> SettingsReport | None:
    """The report of this device; None for a payload that is not one."""
    try:
        return msgspec.structs.replace(msgspec.json.decode(payload, type=SettingsReport), dev=dev)
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
    own, clock = settings.load(config), SystemClock()
    if wrong := [dev for dev in names if not settings.ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    document = asked_for(pairs, file)
    key = CommandKey.load(own.ops.command_key) if document or clear or file else None
    devices = {dev: wire.Topics(own.ward.ward, dev) for dev in names}
    with OpsLink(own, [topics.cfg_reported for topics in devices.values()], clock) as ops:
        heard = reports(ops, devices, wait_s, clock.now().wall_ms, functools.partial(
            _send, ops, devices, key, document)) if key else reports(ops, devices, LOOK_S)
        return 0 if show(heard, as_json) else EXIT_UNDONE


def _send(ops: OpsLink, devices: Mapping[str, wire.Topics], key: CommandKey, document: dict[str, Any], dev: str,
          ver: int) -> None:
    """Ask one device, signed; it stays at the broker for one that is away. Raises OpsFault."""
    signed = key.sign({"v": wire.VERSION, "ver": ver, "dev": dev, "cfg": document})
    ops.send(Outgoing(devices[dev].cfg_desired, msgspec.json.encode(signed), retain=True))
