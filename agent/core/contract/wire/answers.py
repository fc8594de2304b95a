"""The `data` of answers to commands, with "done". Absent means unknown."""
from typing import Any

from msgspec import Struct

from agent.core.contract.wire.device_side import Health


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
