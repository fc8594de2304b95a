"""The contract's table of commands: the conditions of each, its args, and the `data` of its answer with "done". Pure.

Absent means unknown.
"""
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from agent.core.contract.wire.device_side import Health
from agent.core.contract.wire.inbound import BadPayload, Command, Seq, Ulid, UtcMs
from agent.core.key_slots import CHANGE, KeysChange
from agent.core.release import BUNDLE_B, Sha256, Version


class Replayed(Struct, kw_only=True, frozen=True):
    """Answer to `replay`."""

    again_n: int                        # events that are sent again
    missing_n: int                      # seqs that a gap event names
    upto: int                           # both hold up to this seq; ask for the rest if it is less than `to`


class Clocks(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Answer to `time_hint`: the device's own clocks."""

    boot: str
    mono_ms: int
    clock: str                          # unset | saved | rtc | ntp
    utc_ms: int | None = None           # of its wall clock, unless that is unset
    off_ms: int | None = None           # how far that is ahead of the hint


class CameraPause(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera in `PausesAnswer`."""

    c: str
    paused: bool
    by: str | None = None               # page | command | schedule | unreadable; never a person
    until_ms: int | None = None         # on the wall clock, if the pause has an end and it is known


class PausesAnswer(Struct, kw_only=True, frozen=True):
    """Answer to `pause.state`: the cameras that have reported."""

    cams: list[CameraPause]


class Diagnostics(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Answer to `diagnostics`: numbers, codes and versions, without text that could contain a name or a password."""

    versions: dict[str, str]            # agent, os, hw, python, sqlite, store
    link: dict[str, float]              # counters of the link's heartbeat
    health: Health | None = None        # the last report; without cameras if they would take too much room


class Restarted(Struct, kw_only=True, frozen=True):
    """Answer to `restart`."""

    units: list[str]                    # the processes that were asked to end


class SettingsInEffect(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Answer to `set`."""

    cfg: dict[str, Any]                 # what is in effect, including the household's own values
    clamped: dict[str, str] = {}        # keys whose value was limited, and why: range | household


class Installed(Struct, kw_only=True, frozen=True):
    """Answer to `update`."""

    version: str                        # the version that runs now


class HandedOver(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Answer to `clip.export` and `snapshot`: what was uploaded, by the intake's receipt."""

    bytes: int
    sha256: str                         # of the whole upload
    manifest: str | None = None         # SHA-256 of the export's manifest


# the latest `exp`: the device keeps the answer until then, so that the command does not run twice
AHEAD_MAX_MS = 30 * 86_400_000
LONGEST_MS = 3_600_000              # the longest time in one `clip.export`

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]  # one line
Purpose = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}\Z")]
LogLevel = Literal["debug", "info", "warning", "error"]
Moment = Annotated[datetime, Meta(tz=True)]


class Nothing(Struct, frozen=True):
    """The args of a command that takes none."""


class Replay(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """`replay`: offer these seqs again, both included."""

    first: Seq                          # the first of them
    last: Seq                           # the last of them


class TimeHint(Struct, frozen=True):
    """`time_hint`: what time the ward believes it is."""

    utc_ms: UtcMs


class Restart(Struct, frozen=True):
    """`restart`: restart the processes of this role."""

    role: Literal["capture", "keeper", "link", "web"]   # whose processes


class SetSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`set`: use these settings, within the household's limits. A missing key gets the household's own value."""

    health_int_s: int | UnsetType = UNSET   # from report to report, 30 to 300; never less than the household's
    retention_d: int | UnsetType = UNSET    # that clips are kept, 3 to 365; never more than the household's
    log_level: LogLevel | UnsetType = UNSET     # of the device's own journal; never less than the household's


class Update(Struct, frozen=True):
    """`update`: install this version of the agent, as soon as the household has agreed; its maker has signed it."""

    version: Version                    # newer than the one that runs
    url: Annotated[str, Meta(max_length=300, pattern=r"^https://[!-~]+\Z")]     # of the file
    sha256: Sha256                      # of the file
    bytes: Annotated[int, Meta(ge=1, le=BUNDLE_B)]  # of the file


class Wanted(Struct, kw_only=True, frozen=True):
    """The base of the args of each request for pictures: the purpose, the authority, and the target of the upload."""

    case: Text                          # the ward's own case number
    purpose: Purpose                    # key of the household's rules
    officer: Text                       # responsible officer
    basis: Text                         # legal basis
    cam: Annotated[str, Meta(max_length=64)]
    upload: Annotated[str, Meta(max_length=300, pattern=r"^https://[!-~]+\Z")]  # the intake
    receipt_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]    # Ed25519: signs the intake's receipt


class Snapshot(Wanted, kw_only=True, frozen=True):
    """`snapshot`: one picture of this camera, as soon as the household has agreed."""


class ClipExport(Wanted, kw_only=True, frozen=True, rename={"begin": "from", "end": "to"}):
    """`clip.export`: a camera's recordings of some time, as a signed export."""

    begin: Moment                       # RFC 3339, with its zone
    end: Moment                         # at most an hour later


class ClipCancel(Struct, frozen=True):
    """`clip.cancel`: withdraws the request of that command."""

    request: Ulid                       # the command's id


class Rule(NamedTuple):
    """The conditions of a command."""

    args: type[Struct] = Nothing
    answer: type[Struct] | None = None      # the type of its answer's data, if it has any
    signed: bool = False            # by the ward's command key: an attacker with the broker cannot send it
    without_clock: bool = False     # obeyed while the device cannot know whether it has expired
    to_all: bool = False            # allowed on the topic of the whole ward


COMMANDS = {
    "rebirth": Rule(without_clock=True, to_all=True),
    "time_hint": Rule(TimeHint, Clocks, without_clock=True, to_all=True),
    "replay": Rule(Replay, Replayed),
    "pause.state": Rule(answer=PausesAnswer),
    "diagnostics": Rule(answer=Diagnostics),
    "snapshot": Rule(Snapshot, HandedOver, signed=True),
    "restart": Rule(Restart, Restarted, signed=True),
    "set": Rule(SetSettings, SettingsInEffect, signed=True),
    "update": Rule(Update, Installed, signed=True),
    "clip.export": Rule(ClipExport, HandedOver, signed=True),
    "clip.cancel": Rule(ClipCancel, signed=True),
    CHANGE: Rule(KeysChange, signed=True),
}

Args = TypeVar("Args", bound=Struct)


def plain(command: Command) -> dict[str, Any]:
    """Returns the command as it is sent, without unknown fields."""
    return {name: value for name, value in msgspec.to_builtins(command).items() if value is not None}


def args(command: Command, kind: type[Args]) -> Args:
    """Returns the command's args as `kind` and ignores unknown ones. Raises BadPayload."""
    try:
        return msgspec.convert(command.args, kind)
    except msgspec.ValidationError:
        raise BadPayload("wrong args") from None
