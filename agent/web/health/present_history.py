"""Plots of the machine's health over a day or a month: paths, and for each plot a sentence that says the same.

Pure, except for the words. A plot is as wide as its time has seconds; times without samples stay empty.
"""
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import ceil, floor
from typing import NamedTuple

from agent.core.health.forecast import DAYS_MAX
from agent.core.health.history import MB, History, Slot, SlotValues, used_pct
from agent.core.household.day_lane import LanePiece, State, WallSpan
from agent.look.words import PageWords
from agent.web.recordings import present_day
from agent.web.recordings.present_day import HOUR_MS, Drawn, bars
from agent.web.server.words import days_text

HIGH, LANE_HIGH = 100, 20           # of a plot, of a lane
DAY_N, MONTH_N = 24, 30             # hours, days
TICKS_N = 6                         # so many of these between two names beneath a plot
GAPS: tuple[State, ...] = ("camera", "missing", "paused", "off")
DAYS_A_YEAR = 365.0
ROOM_C = 2                          # above and below the curve of the temperature


class Period(NamedTuple):
    """The plotted time, in slots of an hour or of a day."""

    span: WallSpan
    slots: Sequence[WallSpan]
    ticks: Sequence[str]

    @property
    def by_day(self) -> bool:
        return len(self.slots) == MONTH_N

    @property
    def lasts_s(self) -> int:
        return (self.span.end_ms - self.span.begin_ms) // 1000


class PlotView(NamedTuple):
    """One plot. `top` and `bottom` label its scale, if it has one."""

    name: str
    title: str
    told: str
    drawn: Sequence[Drawn]
    top: str = ""
    bottom: str = ""

    @property
    def high(self) -> int:
        return HIGH if self.top else LANE_HIGH


class HistoryView(NamedTuple):
    """The plots, and a sentence for each plot that this machine can't fill."""

    plots: Sequence[PlotView]
    missing: Sequence[str]


def last_day(now_ms: int, words: PageWords) -> Period:
    end_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    slots = [WallSpan(end_ms - n * HOUR_MS, end_ms - (n - 1) * HOUR_MS) for n in range(DAY_N, 0, -1)]
    return Period(WallSpan(slots[0].begin_ms, end_ms), slots,
                  [words.clock(slot.begin_ms) for slot in slots[::TICKS_N]])


def last_month(now_ms: int, words: PageWords) -> Period:
    """Returns the days up to today, in the device's time zone."""
    days = present_day.days_before(present_day.day_of(now_ms), MONTH_N)
    slots = [present_day.span_of(day) for day in days]
    ticks = [words("health.date", day=day.day, n=day.month, month=words(f"time.month.{day.month}")[:3])
             for day in days[::TICKS_N]]
    return Period(WallSpan(slots[0].begin_ms, slots[-1].end_ms), slots, ticks)


def history_view(history: History, period: Period, life_days: tuple[float, float] | None,
                 words: PageWords) -> HistoryView:
    if history.is_empty:
        return HistoryView([], [words("health.plot.nothing")])
    slots = history.found()
    found = [_temperature(slots, history, period, words), *_card(slots, history, period, words),
             _written([each.written_mb for each in slots], period, life_days, words),
             *_lanes(history, period, words)]
    return HistoryView([each for each in found if isinstance(each, PlotView)],
                       [each for each in found if isinstance(each, str)])


def gap_views(cameras: Sequence[str], pieces: Sequence[Sequence[LanePiece]], period: Period,
              words: PageWords) -> list[PlotView]:
    """Returns a lane for each camera: when it was not recorded, and why."""
    views = []
    for n, (camera, its) in enumerate(zip(cameras, pieces, strict=True)):
        states = {state: [each for each in its if each.state == state] for state in ("recorded", *GAPS)}
        told = [f"{words(f'recordings.look.{state}')}: {words.span(sum(each.end_ms - each.begin_ms for each in found))}"
                for state, found in states.items() if found and state in GAPS]
        drawn = [Drawn(state, bars(found, period.span, 0, LANE_HIGH)) for state, found in states.items() if found]
        views.append(PlotView(f"gaps-{n}", words.label(camera),
                              f"{'; '.join(told)}." if told else words("health.plot.no_gap"), drawn))
    return views


def _temperature(slots: Sequence[Slot], history: History, period: Period, words: PageWords) -> PlotView | str:
    values = [each.temperature for each in slots]
    if not (known := [each for each in values if each]):
        return words("health.plot.no_temperature")
    low, high = min(each.low for each in known), max(each.high for each in known)
    scale = _Scale(period.span, floor((low - ROOM_C) / 10) * 10, ceil((high + ROOM_C) / 10) * 10)
    drawn = (Drawn("bar", scale.ranges(period.slots, values)) if period.by_day
             else Drawn("curve", scale.curve(history.temperature_curve)))
    told = words("health.plot.temperature_told", now=words.number(known[-1].last), low=words.number(low),
                 high=words.number(high))
    return PlotView("temperature", words("health.temperature"), told, [drawn], f"{scale.high:.0f} °C",
                    f"{scale.low:.0f} °C")


def _card(slots: Sequence[Slot], history: History, period: Period, words: PageWords) -> Iterator[PlotView | str]:
    if (newest := history.newest) is None:
        yield words("health.plot.no_card")
        return
    scale, limit_pct = _Scale(period.span, 0, 100), 100 - history.free_floor_pct
    curve = (_joined(period.slots, [each.used and each.used.last for each in slots]) if period.by_day
             else history.used_curve)
    told = words("health.plot.card_told", pct=words.number(used_pct(newest) or 0), limit=words.number(limit_pct),
                 free=words.size((newest.free_mb or 0) * MB), total=words.size((newest.disk_mb or 0) * MB))
    yield PlotView("card", words("health.card"), told,
                   [Drawn("limit", scale.across(limit_pct)), Drawn("curve", scale.curve(curve))], "100 %", "0 %")
    yield _days_left([each.days_left for each in slots], period, words)


def _days_left(days: Sequence[float | None], period: Period, words: PageWords) -> PlotView | str:
    known = [each for each in days if each is not None]
    if not known:
        return words("health.plot.no_days")
    if min(known) >= DAYS_MAX:
        return words("health.plot.not_filling")
    filling = [None if each is None or each >= DAYS_MAX else each for each in days]
    scale = _Scale(period.span, 0, ceil(max(each for each in filling if each is not None) * 1.1) or 1)
    now = (words("health.plot.not_filling") if known[-1] >= DAYS_MAX
           else words("health.plot.days_told", days=words.number(known[-1], 0 if known[-1] >= 3 else 1)))
    return PlotView("days", words("health.plot.days"), now,
                    [Drawn("curve", scale.curve(_joined(period.slots, filling)))], days_text(scale.high, words), "0")


def _written(slots: Sequence[int | None], period: Period, life_days: tuple[float, float] | None,
             words: PageWords) -> PlotView | str:
    known = [each for each in slots if each is not None]
    if not known:
        return words("health.plot.no_written")
    scale = _Scale(period.span, 0, max(known) or 1)
    told = words("health.plot.written_told", size=words.size(sum(known) * MB))
    told = "; ".join([told[:1].upper() + told[1:], *life_sentence(life_days, words)]) + "."
    values = [None if each is None else SlotValues(0, each, each) for each in slots]
    return PlotView("written", words("health.wear"), told, [Drawn("bar", scale.ranges(period.slots, values))],
                    words.size(int(scale.high) * MB), "0")


def life_sentence(life_days: tuple[float, float] | None, words: PageWords) -> Iterator[str]:
    """Yields half a sentence: how many years a new card would last, at worst and at best, if known."""
    if life_days:
        worst, best = (figure(days / DAYS_A_YEAR, words) for days in life_days)
        yield words("health.wear_life", worst=worst, best=best)


def figure(value: float, words: PageWords) -> str:
    """Returns a number with one decimal below ten, without decimals above."""
    return words.number(value, 0 if value >= 10 else 1)


def _lanes(history: History, period: Period, words: PageWords) -> Iterator[PlotView | str]:
    yield _lane(history, period, "network", "camera", words) or words("health.plot.no_network")
    for name, bad_look in (("broker", "camera"), ("clock", "missing")):
        if lane := _lane(history, period, name, bad_look, words):
            yield lane


def _lane(history: History, period: Period, name: str, bad_look: str, words: PageWords) -> PlotView | None:
    """Returns the lane of a state: when it was good and when not. None if it was never known."""
    states = history.states(name)
    if not states:
        return None
    good, bad = ([span for span, held in states if held == wanted] for wanted in (True, False))
    lost_ms = sum(span.end_ms - span.begin_ms for span in bad)
    told = words(f"health.plot.{name}_lost", span=words.span(lost_ms)) if bad else words(f"health.plot.{name}_good")
    drawn = [Drawn("recorded", bars(good, period.span, 0, LANE_HIGH)),
             Drawn(bad_look, bars(bad, period.span, 0, LANE_HIGH))]
    return PlotView(name, words(f"health.{name}"), told, [each for each in drawn if each.path])


def _joined(slots: Sequence[WallSpan], values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    points = [(None if value is None else ((slot.begin_ms + slot.end_ms) // 2, value))
              for slot, value in zip(slots, values, strict=True)]
    return [[point for point in run if point] for known, run in groupby(points, key=bool) if known]


class _Scale(NamedTuple):
    """Maps a moment and a value to a place in the plot."""

    span: WallSpan
    low: float
    high: float

    def x(self, wall_ms: int) -> int:
        return (wall_ms - self.span.begin_ms) // 1000

    def y(self, value: float) -> int:
        return round(HIGH * (1 - (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)))

    def curve(self, stretches: Iterable[Sequence[tuple[int, float]]]) -> str:
        """Returns a line through each stretch; a single point becomes a short line."""
        parts = []
        for stretch in stretches:
            points = [f"{self.x(wall_ms)} {self.y(value)}" for wall_ms, value in stretch]
            parts.append("M" + "L".join(points) + ("h1" if len(points) == 1 else ""))
        return "".join(parts)

    def across(self, value: float) -> str:
        return f"M0 {self.y(value)}h{self.x(self.span.end_ms)}"

    def ranges(self, slots: Sequence[WallSpan], values: Sequence[SlotValues | None]) -> str:
        """Returns a bar in each slot, from its lowest to its highest value."""
        parts = []
        for slot, its in zip(slots, values, strict=True):
            if its:
                wide_s, bottom = (slot.end_ms - slot.begin_ms) // 1000, self.y(its.low)
                top = min(self.y(its.high), bottom - 2)
                parts.append(f"M{self.x(slot.begin_ms) + wide_s // 8} {top}h{wide_s * 3 // 4}v{bottom - top}"
                             f"h-{wide_s * 3 // 4}z")
        return "".join(parts)
