"""A new version on trial for its first minutes. It is well if everything that worked before still works.

Pure. docs/design/device.md has the reasons.
"""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from agent.core.contract.facts import Beat

SEES = ("ok", "paused", "ended")        # states of a camera without a fault


class Before(Struct, frozen=True, kw_only=True):
    """What worked before: units by name, and cameras that delivered."""

    units: list[str] = []
    cameras: list[str] = []


@dataclass(frozen=True, slots=True)
class TrialPace:
    """The times of a trial. Tests shorten them."""

    listen_s: float = 16.0          # before it begins: three heartbeats of each unit, for one may come late or be lost
    started_s: float = 180.0        # the machine's least uptime, so that all working units have been heard
    settle_s: float = 60.0          # everything must be well for this long without a break
    deadline_s: float = 300.0       # within this time, because recovery on a slow card takes minutes
    silent_s: float = 12.0          # a unit without a heartbeat for this long is not well
    deaths_n: int = 3               # a unit that died so often ends the trial: each minute of it is a minute unrecorded
    look_s: float = 3.0             # between two looks at the deaths, while anything is wrong


def worked(beats: Iterable[Beat]) -> Before:
    """Returns the units and cameras that work by these heartbeats."""
    heard = list(beats)
    return Before(units=sorted({beat.unit for beat in heard}),
                  cameras=sorted({each.camera for beat in heard for each in beat.cameras if each.state in SEES}))


@dataclass(slots=True)
class Trial:
    """One version on trial. It is well if everything that worked before still works without a restart."""

    before: Before
    pace: TrialPace
    restart_mono_s: float           # older processes are of the old version
    since_mono_s: float
    _heard: dict[str, tuple[Beat, float]] = field(default_factory=dict)     # the latest of each unit, and its time
    _well_mono_s: float | None = None       # since when everything is well
    _dying: list[str] = field(default_factory=list)     # units that died too often

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        if beat.mono_s - beat.up_s < self.restart_mono_s:
            return
        known = self._heard.get(beat.unit)
        if known and known[0].pid != beat.pid:
            self._well_mono_s = None
        self._heard[beat.unit] = beat, now_mono_s

    def receive_deaths(self, deaths: Mapping[str, int]) -> None:
        """`deaths` says how often each unit has died since the restart."""
        self._dying = [unit for unit in self.before.units if deaths.get(unit, 0) >= self.pace.deaths_n]

    def verdict(self, now_mono_s: float) -> Literal["well", "unwell"] | None:
        if self._dying:
            return "unwell"
        if self.wrong(now_mono_s):
            self._well_mono_s = None
        elif self._well_mono_s is None:
            self._well_mono_s = now_mono_s
        if self._well_mono_s is not None and now_mono_s - self._well_mono_s >= self.pace.settle_s:
            return "well"
        return "unwell" if now_mono_s - self.since_mono_s >= self.pace.deadline_s else None

    def blamed(self, now_mono_s: float) -> str | None:
        """Returns the unit that died, or else does not work; None if only cameras do not."""
        return next((unit for unit in (*self._dying, *self.wrong(now_mono_s)) if unit in self.before.units), None)

    def wrong(self, now_mono_s: float) -> list[str]:
        """Returns units and cameras that worked before and do not now; the cameras of a silent unit do not."""
        beats = {unit: beat for unit, (beat, heard_mono_s) in self._heard.items()
                 if now_mono_s - heard_mono_s <= self.pace.silent_s}
        now = worked(beats.values())
        return [*(f"{unit} dies again and again" if unit in self._dying else unit
                  for unit in self.before.units if unit in self._dying or unit not in now.units),
                *(f"camera {name}" for name in self.before.cameras if name not in now.cameras)]
