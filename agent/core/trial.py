"""A version on trial for its first minutes: well is who does what worked before, and goes on doing it.

Pure. docs/design/update.md has the reasons.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from agent.core.contract.facts import Beat

SEES = ("ok", "paused", "ended")        # states of a camera in which nothing is wrong with it


class Before(Struct, frozen=True, kw_only=True):
    """What worked until now: units by name, and cameras that delivered."""

    units: list[str] = []
    cameras: list[str] = []


@dataclass(frozen=True, slots=True)
class TrialPace:
    """How long is waited for what; tests wait less."""

    listen_s: float = 7.0           # before it begins: a heartbeat of everybody, three of those who tell of cameras
    started_s: float = 180.0        # the machine has been up for so long by then: what works has shown itself
    settle_s: float = 60.0          # all must be well for so long without a break
    deadline_s: float = 300.0       # and that within this time: recovery on a slow card takes minutes
    silent_s: float = 12.0          # a unit that was not heard for so long is not well


def worked(beats: Iterable[Beat]) -> Before:
    """What these heartbeats tell of."""
    heard = list(beats)
    return Before(units=sorted({beat.unit for beat in heard}),
                  cameras=sorted({each.camera for beat in heard for each in beat.cameras if each.state in SEES}))


@dataclass(slots=True)
class Trial:
    """One version on trial. Well is who does what worked before, and goes on doing it without starting anew."""

    before: Before
    pace: TrialPace
    restart_mono_s: float           # processes that are older are of the old version: nobody has ended them
    since_mono_s: float
    _heard: dict[str, tuple[Beat, float]] = field(default_factory=dict)     # the latest of each unit, and when
    _well_mono_s: float | None = None       # since when all is well

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        """A heartbeat has come."""
        if beat.mono_s - beat.up_s < self.restart_mono_s:
            return
        known = self._heard.get(beat.unit)
        if known and known[0].pid != beat.pid:
            self._well_mono_s = None
        self._heard[beat.unit] = beat, now_mono_s

    def verdict(self, now_mono_s: float) -> Literal["well", "unwell"] | None:
        """What came of it; None while that is open."""
        if self.wrong(now_mono_s):
            self._well_mono_s = None
        elif self._well_mono_s is None:
            self._well_mono_s = now_mono_s
        if self._well_mono_s is not None and now_mono_s - self._well_mono_s >= self.pace.settle_s:
            return "well"
        return "unwell" if now_mono_s - self.since_mono_s >= self.pace.deadline_s else None

    def wrong(self, now_mono_s: float) -> list[str]:
        """Units and cameras that worked before and don't now; a camera whose unit is silent counts as one of them."""
        beats = {unit: beat for unit, (beat, heard_mono_s) in self._heard.items()
                 if now_mono_s - heard_mono_s <= self.pace.silent_s}
        now = worked(beats.values())
        return [*(unit for unit in self.before.units if unit not in now.units),
                *(f"camera {name}" for name in self.before.cameras if name not in now.cameras)]
