"""Collects heartbeats and probes of the device for the link and the page, and reports on it. Reads no disk."""
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.config.derived import units
from agent.config.settings import Settings
from agent.core.contract.facts import Beat, KeeperFacts
from agent.core.health import forecast
from agent.core.health.conditions import CODES
from agent.core.health.facts import Facts, UnitFacts
from agent.core.health.machine import Episode, HealthMachine
from agent.core.health.report import Report, report
from agent.host.clock import Clock
from agent.host.files import read_json, write_whole
from agent.host.probes.machine import Probes
from agent.host.runtime import own

UNITS_N_MAX = 64
FORGET_S = 600.0            # a unit that nobody expects is dropped after this silence
LOOP_S = 600.0              # starts are counted over this time
STARTS_N_MAX = 16
KNOWN = "known.json"        # in a role's folder: what its monitor knows, for a page that wakes and for `taimat status`
KNOWN_B_MAX = 1 << 20
KNOWN_FOR_S = 120.0         # a page takes seconds to wake, on a slow card


@dataclass(slots=True)
class UnitHistory:
    role: str
    heard_mono_s: float                 # of the latest heartbeat, or when we began to wait
    beat: Beat | None = None
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=STARTS_N_MAX))     # when they happened

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        if self.beat is None:
            self.starts.append(now_mono_s - beat.up_s)          # the times of earlier starts are unknown
        else:
            new_n = min((beat.starts_n or 0) - (self.beat.starts_n or 0), STARTS_N_MAX)
            self.starts.extend([now_mono_s] * new_n)
        self.role, self.beat, self.heard_mono_s = beat.role, beat, now_mono_s

    def facts(self, unit: str, now_mono_s: float) -> UnitFacts:
        recent_n = sum(now_mono_s - start < LOOP_S for start in self.starts)
        return UnitFacts(unit, self.role, now_mono_s - self.heard_mono_s, recent_n, self.beat)


class MonitorState(msgspec.Struct, kw_only=True, frozen=True):
    """What a monitor knows of the time until now."""

    mono_s: float
    units: dict[str, tuple[Beat | None, float, list[float]]]    # newest beat, since when there is none, starts
    episodes: list[Episode]
    free: forecast.Trend
    written: forecast.Trend


def monitor_of(settings: Settings, store: Path, clock: Clock) -> "Monitor":
    """Returns a monitor that expects the units, continuous recording and free space of these settings."""
    continuous = [camera.name for camera in settings.camera if camera.enabled and camera.record != "motion"]
    return Monitor(Probes(store), units(settings), now_mono_s=clock.mono_s(),
                   free_floor_pct=settings.store.free_floor_pct, continuous=continuous,
                   cameras_n=sum(camera.enabled for camera in settings.camera),
                   endurance_tb=settings.store.card_endurance_tb)


class Monitor:
    """Stores the newest heartbeat of each unit and judges the device on request. For one thread."""

    def __init__(self, probes: Probes, units: Mapping[str, str], *, now_mono_s: float, free_floor_pct: float = 10.0,
                 continuous: Iterable[str] = (), cameras_n: int | None = None, endurance_tb: float = 0) -> None:
        """Expects `units` (unit -> role). Cameras in `continuous` must always record; `endurance_tb` 0: unknown."""
        self._probes, self._expected = probes, dict(units)
        self._free_floor_pct, self._continuous = free_floor_pct, frozenset(continuous)
        self._cameras_n, self._endurance_tb = cameras_n, endurance_tb
        self._units = {unit: UnitHistory(role, now_mono_s) for unit, role in units.items()}
        self._free, self._written = forecast.Trend(), forecast.Trend()
        self._machine = HealthMachine()
        self.dropped_n = 0              # heartbeats of units beyond UNITS_N_MAX

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        if beat.unit not in self._units:
            if len(self._units) >= UNITS_N_MAX:
                self.dropped_n += 1
                return
            self._units[beat.unit] = UnitHistory(beat.role, now_mono_s)
        self._units[beat.unit].receive(beat, now_mono_s)

    def leave_known(self, runtime: Path, role: str, now_mono_s: float) -> None:
        """Writes what it knows into the folder of its role. Drops it if there is no room."""
        known = MonitorState(mono_s=now_mono_s, episodes=[*self._machine.episodes.values()], free=self._free,
                      written=self._written, units={unit: (seen.beat, seen.heard_mono_s, [*seen.starts])
                                                    for unit, seen in self._units.items()})
        with contextlib.suppress(OSError):
            write_whole(own(runtime, role) / KNOWN, msgspec.json.encode(known))

    def take_over(self, runtime: Path, role: str, now_mono_s: float) -> float | None:
        """Goes on from what a role has left just now, if it has: conditions that last, forecasts, the newest beats.

        A beat's age is as it was then. How long the page took to wake says nothing about other units. Returns when the
        role has left it, None if it has not.
        """
        known = read_json(runtime / role / KNOWN, MonitorState, KNOWN_B_MAX)
        if known is None or not 0 <= (later_s := now_mono_s - known.mono_s) < KNOWN_FOR_S:
            return None
        for unit, (beat, heard_mono_s, starts) in list(known.units.items())[:UNITS_N_MAX]:
            if role := beat.role if beat else self._expected.get(unit):
                self._units[unit] = UnitHistory(role, heard_mono_s + later_s, beat, deque(starts, STARTS_N_MAX))
        self._machine = HealthMachine({each.finding.key: each for each in known.episodes if each.finding.code in CODES})
        self._free, self._written = known.free, known.written
        return known.mono_s

    def look(self, now_mono_s: float) -> Report:
        facts = self._facts(now_mono_s)
        self._machine, conditions = self._machine.step(facts, now_mono_s)
        return report(facts, conditions, now_mono_s)

    def _facts(self, now_mono_s: float) -> Facts:
        for unit, seen in list(self._units.items()):
            if unit not in self._expected and now_mono_s - seen.heard_mono_s > FORGET_S:
                del self._units[unit]
        host = self._probes.read(now_mono_s)
        self._free = self._free.add(host.disk_free_b, now_mono_s)
        self._written = self._written.add(host.disk_wr_b, now_mono_s)
        days_left = forecast.days_left(host.disk_free_b, host.disk_tot_b, self._free_floor_pct,
                                       self._free.falls_b_per_day)
        written_b_per_day = self._written.rises_b_per_day
        units = tuple(seen.facts(unit, now_mono_s) for unit, seen in sorted(self._units.items()))
        ill_days_n = next((keeper.card_ill_days for unit in units if (keeper := unit.own_facts(KeeperFacts))), None)
        return Facts(host=host, units=units,
                     card_end=forecast.end_in_sight(host.card_worn_pct, host.card_lifetime_b, self._endurance_tb,
                                                    written_b_per_day, ill_days_n),
                     days_left=days_left, card_written_b_per_day=written_b_per_day,
                     card_life_days=forecast.life_days(host.disk_tot_b, self._endurance_tb, written_b_per_day),
                     free_floor_pct=self._free_floor_pct, continuous=self._continuous, cameras_n=self._cameras_n)
