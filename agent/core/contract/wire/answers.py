"""The `data` of answers to commands, with "done". Absent means unknown."""
from msgspec import Struct

from agent.core.contract.wire.device_side import Health


class Replayed(Struct, kw_only=True, frozen=True):
    """To `replay`."""

    again_n: int                        # events that are offered again
    missing_n: int                      # seqs that a gap event names
    upto: int                           # both hold up to here; ask for the rest if this is less than `to`


class Clocks(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """To `time_hint`: the device's own clocks."""

    boot: str
    mono_ms: int
    clock: str                          # unset | saved | rtc | ntp
    utc_ms: int | None = None           # by its wall clock, unless that is unset
    off_ms: int | None = None           # by how much that is ahead of the hint


class CameraPause(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera in `PausesAnswer`."""

    c: str
    paused: bool
    by: str | None = None               # page | command | schedule | unreadable; never who
    until_ms: int | None = None         # on the wall clock, where there is an end and it is known


class PausesAnswer(Struct, kw_only=True, frozen=True):
    """To `pause.state`: the cameras that were heard of."""

    cams: list[CameraPause]


class Diagnostics(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """To `diagnostics`: numbers, codes and versions, no text that could hold a name or a password."""

    versions: dict[str, str]            # agent, os, hw, python, sqlite, store
    link: dict[str, float]              # counters of the link's heartbeat
    health: Health | None = None        # the last report; without cameras where they would take too much room


class Restarted(Struct, kw_only=True, frozen=True):
    """To `restart`."""

    units: list[str]                    # the processes that were asked to end


class Installed(Struct, kw_only=True, frozen=True):
    """To `update`."""

    version: str                        # that runs now


class HandedOver(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """To `clip.export` and `snapshot`: what was uploaded, by the intake's receipt."""

    bytes: int
    sha256: str                         # of all of it
    manifest: str | None = None         # SHA-256 of the export's manifest
