"""The state of the machine over a day or a month, from samples. Pure.

A sample is valid until the next one, for two rounds at most; time without samples is unknown. A month has nine
thousand samples, so they are read one by one and only their summary stays in memory.
"""
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.core.contract.facts import HealthSample, ReachFacts
from agent.core.health.facts import HostFacts
from agent.core.health.forecast import DAY_S, LEAST_SPAN_S, days_left
from agent.core.household.day_lane import WallSpan

SAMPLE_EVERY_MS = 300_000
HOUR_N = 12                     # samples in one write
WAITING_N_MAX = 144             # newest samples that wait for a card that refuses writes: twelve hours
REACH_FOR_MS = 180_000          # a report about the network is valid this long
HOLDS_MS = 2 * SAMPLE_EVERY_MS
MB = 1_000_000
DAY_MS = int(DAY_S * 1000)
SURE = ("rtc", "ntp")           # the clock was right


class DatedSample(NamedTuple):
    """A sample and its date."""

    wall_ms: int
    boot: str
    sample: HealthSample


class SlotValues(NamedTuple):
    """A value's range within a slot."""

    low: float
    high: float
    last: float


@dataclass(slots=True)
class _Stretch:
    begin_ms: int
    end_ms: int
    held: bool


Curve = list[list[tuple[int, float]]]           # (wall_ms, value) in runs without a hole
States = list[tuple[WallSpan, bool]]            # when it was good and when not, in order


def sample(host: HostFacts, reach: ReachFacts, mono_ms: int, clock: str, card_ill: int = 0) -> HealthSample:
    """Makes a sample of one look, and of the card since the last one."""
    return HealthSample(mono_ms, clock, temp_c=None if host.soc_temp_c is None else round(host.soc_temp_c, 1),
                        disk_mb=_mb(host.disk_tot_b), free_mb=_mb(host.disk_free_b), written_mb=_mb(host.disk_wr_b),
                        net_up=reach.net_up, ward_up=reach.ward_up, card_ill=card_ill)


def _mb(size_b: int | None) -> int | None:
    return None if size_b is None else size_b // MB


def used_pct(sample: HealthSample) -> float | None:
    """Returns how full the card was, in percent; None if unknown."""
    if not sample.disk_mb or sample.free_mb is None:
        return None
    return 100 * (1 - sample.free_mb / sample.disk_mb)


@dataclass(slots=True)
class Slot:
    """Values of one period; None for unknown ones."""

    temperature: SlotValues | None = None       # degrees Celsius
    used: SlotValues | None = None              # how full the card was, percent
    written_mb: int | None = None
    days_left: float | None = None              # at its end, at the rate of the day before


@dataclass(slots=True)
class _Noted:
    temperature: list[float] = field(default_factory=list)      # low, high, last
    used: list[float] = field(default_factory=list)
    written_mb: int | None = None
    rate: tuple[DatedSample, DatedSample] | None = None         # the two samples that give the days of room


@dataclass(slots=True)
class History:
    """Summarises samples in consecutive slots of time. `until_ms` is now. `free_floor_pct` is the space that retention
    keeps free, to which the days of room refer. With `curves` it also keeps the value of each sample."""

    slots: Sequence[WallSpan]
    until_ms: int
    free_floor_pct: float
    curves: bool
    temperature_curve: Curve = field(default_factory=list)
    used_curve: Curve = field(default_factory=list)
    newest: HealthSample | None = None                              # newest sample with the state of the card
    _noted: list[_Noted] = field(init=False)
    _states: dict[str, list[_Stretch]] = field(init=False)
    _before: DatedSample | None = None
    _day: deque[DatedSample] = field(default_factory=deque)  # those of the last 24 hours with the state of the card
    _place: int = 0                                                 # index of the current slot

    def __post_init__(self) -> None:
        self._noted = [_Noted() for _ in self.slots]
        self._states = {"network": [], "broker": [], "clock": []}

    @property
    def is_empty(self) -> bool:
        return not self._states["clock"]

    def found(self) -> list[Slot]:
        return [Slot(_values(each.temperature), _values(each.used), each.written_mb,
                     each.rate and _days_left(*each.rate, self.free_floor_pct)) for each in self._noted]

    def states(self, name: str) -> States:
        """Returns when "network", "broker" or "clock" was good and when not."""
        return [(WallSpan(each.begin_ms, each.end_ms), each.held) for each in self._states[name]]

    def add(self, dated: DatedSample) -> None:
        """Adds the next sample by date. Ignores one before its predecessor, after a clock was put back."""
        before, used = self._before, used_pct(dated.sample)
        if before and dated.wall_ms < before.wall_ms:
            return
        self._before = dated
        if used is not None:
            self._day.append(dated)
            while dated.wall_ms - self._day[0].wall_ms > DAY_MS:
                self._day.popleft()
        while self._place < len(self.slots) and self.slots[self._place].end_ms <= dated.wall_ms:
            self._place += 1
        if self._place < len(self.slots) and self.slots[self._place].begin_ms <= dated.wall_ms:
            slot = self._noted[self._place]
            self._note(slot, dated, used)
            if before and before.boot == dated.boot:
                _note_written(slot, before.sample.written_mb, dated.sample.written_mb)

    def _note(self, slot: _Noted, dated: DatedSample, used: float | None) -> None:
        wall_ms, _, seen = dated
        if seen.temp_c is not None:
            _widen(slot.temperature, seen.temp_c)
            if self.curves:
                _draw_on(self.temperature_curve, wall_ms, seen.temp_c)
        if used is not None:
            self.newest, slot.rate = seen, (self._day[0], dated)
            _widen(slot.used, used)
            if self.curves:
                _draw_on(self.used_curve, wall_ms, used)
        end_ms = min(wall_ms + HOLDS_MS, self.until_ms)
        _go_on(self._states["network"], seen.net_up, wall_ms, end_ms)
        _go_on(self._states["broker"], seen.ward_up, wall_ms, end_ms)
        _go_on(self._states["clock"], seen.clock in SURE, wall_ms, end_ms)


def _values(noted: list[float]) -> SlotValues | None:
    return SlotValues(*noted) if noted else None


def _widen(noted: list[float], value: float) -> None:
    if not noted:
        noted.extend((value, value, value))
        return
    if value < noted[0]:
        noted[0] = value
    if value > noted[1]:
        noted[1] = value
    noted[2] = value


def _note_written(slot: _Noted, before_mb: int | None, count_mb: int | None) -> None:
    """The count starts from zero with each boot, and with another card."""
    if count_mb is not None and before_mb is not None and count_mb >= before_mb:
        slot.written_mb = (slot.written_mb or 0) + count_mb - before_mb


def _draw_on(curve: Curve, wall_ms: int, value: float) -> None:
    if not curve or wall_ms - curve[-1][-1][0] > HOLDS_MS:
        curve.append([])
    curve[-1].append((wall_ms, value))


def _go_on(states: list[_Stretch], held: bool | None, begin_ms: int, end_ms: int) -> None:
    """The last state holds until now, if it is not too old. Equal neighbours become one."""
    last = states[-1] if states else None
    if last and last.end_ms >= begin_ms:
        if last.held == held:
            last.end_ms = end_ms
            return
        last.end_ms = begin_ms
    if held is not None:
        states.append(_Stretch(begin_ms, end_ms, held))


def _days_left(before: DatedSample, now: DatedSample, floor_pct: float) -> float | None:
    passed_s = (now.wall_ms - before.wall_ms) / 1000
    free_mb, earlier_mb, total_mb = now.sample.free_mb, before.sample.free_mb, now.sample.disk_mb
    if passed_s < LEAST_SPAN_S or free_mb is None or earlier_mb is None or total_mb is None:
        return None
    return days_left(free_mb * MB, total_mb * MB, floor_pct, (earlier_mb - free_mb) * MB / passed_s * DAY_S)
