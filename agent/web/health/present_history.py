"""Plots of the machine's health over a day or a month: paths, and for each plot a sentence that says the same.

Pure, except for the words. A plot is as wide as its time has seconds; times without samples stay empty.
"""
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from math import ceil, floor
from typing import NamedTuple

from agent.core.health.forecast import DAYS_MAX
from agent.core.health.history import MB, History, Slot, SlotValues, used_pct
from agent.core.household.day_lane import LanePiece, State, WallSpan
from agent.look.words import PageWords
from agent.web.recordings import present_day
from agent.web.recordings.present_day import HOUR_MS, Drawn, bars
from agent.web.server.words import View, days_text

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


def _plot(name: str, title: str, text: str, drawn: Sequence[Drawn], *, top: str = "", bottom: str = "") -> View:
    """`top` and `bottom` label its scale, if it has one."""
    return View(name=name, title=title, text=text, drawn=drawn, top=top, bottom=bottom,
                high=HIGH if top else LANE_HIGH)


def last_day(now_ms: int, words: PageWords) -> Period:
    end_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    slots = [WallSpan(end_ms - n * HOUR_MS, end_ms - (n - 1) * HOUR_MS) for n in range(DAY_N, 0, -1)]
    return Period(WallSpan(slots[0].begin_ms, end_ms), slots,
                  [words.clock(slot.begin_ms) for slot in slots[::TICKS_N]])


def last_month(now_ms: int, words: PageWords) -> Period:
    """Returns the days up to today, in the device's time zone."""
    today = present_day.day_of(now_ms)
    days = [today - timedelta(days=n) for n in reversed(range(MONTH_N))]
    slots = [present_day.span_of(day) for day in days]
    ticks = [words("health.date", day=day.day, n=day.month, month=words(f"time.month.{day.month}")[:3])
             for day in days[::TICKS_N]]
    return Period(WallSpan(slots[0].begin_ms, slots[-1].end_ms), slots, ticks)


def history_view(history: History, period: Period, life_days: tuple[float, float] | None, words: PageWords) -> View:
    """Returns the plots, and a sentence for each plot that this machine can't fill."""
    if history.is_empty:
        return View(plots=[], missing=[words("health.plot.nothing")])
    slots = history.found()
    found = [_temperature(slots, history, period, words), *_card(slots, history, period, words),
             _written([slot.written_mb for slot in slots], period, life_days, words),
             *_lanes(history, period, words)]
    return View(plots=[plot for plot in found if isinstance(plot, View)],
                missing=[text for text in found if isinstance(text, str)])


def gap_views(cameras: Sequence[str], pieces: Sequence[Sequence[LanePiece]], period: Period,
              words: PageWords) -> list[View]:
    """Returns a lane for each camera: when it was not recorded, and why."""
    views = []
    for n, (camera, its) in enumerate(zip(cameras, pieces, strict=True)):
        states = {state: [piece for piece in its if piece.state == state] for state in ("recorded", *GAPS)}
        gaps = [f"{words(f'recordings.look.{state}')}: {_length(found, words)}"
                for state, found in states.items() if found and state in GAPS]
        drawn = [Drawn(state, bars(found, period.span, 0, LANE_HIGH)) for state, found in states.items() if found]
        views.append(_plot(f"gaps-{n}", words.label(camera),
                           f"{'; '.join(gaps)}." if gaps else words("health.plot.no_gap"), drawn))
    return views


def _length(spans: Iterable[WallSpan | LanePiece], words: PageWords) -> str:
    return words.span(sum(span.end_ms - span.begin_ms for span in spans))


def _temperature(slots: Sequence[Slot], history: History, period: Period, words: PageWords) -> View | str:
    values = [slot.temperature for slot in slots]
    if not (known := [value for value in values if value]):
        return words("health.plot.no_temperature")
    low, high = min(value.low for value in known), max(value.high for value in known)
    scale = _Scale(period.span, floor((low - ROOM_C) / 10) * 10, ceil((high + ROOM_C) / 10) * 10)
    drawn = (Drawn("bar", scale.ranges(period.slots, values)) if period.by_day
             else Drawn("curve", scale.curve(history.temperature_curve)))
    text = words("health.plot.temperature_told", now=words.number(known[-1].last), low=words.number(low),
                 high=words.number(high))
    return _plot("temperature", words("health.temperature"), text, [drawn], top=f"{scale.high:.0f} °C",
                 bottom=f"{scale.low:.0f} °C")


def _card(slots: Sequence[Slot], history: History, period: Period, words: PageWords) -> Iterator[View | str]:
    if (newest := history.newest) is None:
        yield words("health.plot.no_card")
        return
    scale, limit_pct = _Scale(period.span, 0, 100), 100 - history.free_floor_pct
    curve = (_joined(period.slots, [slot.used and slot.used.last for slot in slots]) if period.by_day
             else history.used_curve)
    text = words("health.plot.card_told", pct=words.number(used_pct(newest) or 0), limit=words.number(limit_pct),
                 free=words.size((newest.free_mb or 0) * MB), total=words.size((newest.disk_mb or 0) * MB))
    drawn = [Drawn("limit", scale.across(limit_pct)), Drawn("curve", scale.curve(curve))]
    yield _plot("card", words("health.card"), text, drawn, top="100 %", bottom="0 %")
    yield _days_left([slot.days_left for slot in slots], period, words)


def _days_left(days: Sequence[float | None], period: Period, words: PageWords) -> View | str:
    known = [n for n in days if n is not None]
    if not known:
        return words("health.plot.no_days")
    if min(known) >= DAYS_MAX:
        return words("health.plot.not_filling")
    filling = [None if n is None or n >= DAYS_MAX else n for n in days]
    scale = _Scale(period.span, 0, ceil(max(n for n in filling if n is not None) * 1.1) or 1)
    now = (words("health.plot.not_filling") if known[-1] >= DAYS_MAX
           else words("health.plot.days_told", days=words.number(known[-1], 0 if known[-1] >= 3 else 1)))
    return _plot("days", words("health.plot.days"), now, [Drawn("curve", scale.curve(_joined(period.slots, filling)))],
                 top=days_text(scale.high, words), bottom="0")


def _written(slots: Sequence[int | None], period: Period, life_days: tuple[float, float] | None,
             words: PageWords) -> View | str:
    known = [mb for mb in slots if mb is not None]
    if not known:
        return words("health.plot.no_written")
    scale = _Scale(period.span, 0, max(known) or 1)
    text = words("health.plot.written_told", size=words.size(sum(known) * MB))
    text = "; ".join([text[:1].upper() + text[1:], *life_sentence(life_days, words)]) + "."
    values = [None if mb is None else SlotValues(0, mb, mb) for mb in slots]
    return _plot("written", words("health.wear"), text, [Drawn("bar", scale.ranges(period.slots, values))],
                 top=words.size(int(scale.high) * MB), bottom="0")


def life_sentence(life_days: tuple[float, float] | None, words: PageWords) -> Iterator[str]:
    """Yields half a sentence: how many years a new card would last, at worst and at best, if known."""
    if life_days:
        worst, best = (figure(days / DAYS_A_YEAR, words) for days in life_days)
        yield words("health.wear_life", worst=worst, best=best)


def figure(value: float, words: PageWords) -> str:
    """Returns a number with one decimal below ten, without decimals above."""
    return words.number(value, 0 if value >= 10 else 1)


def _lanes(history: History, period: Period, words: PageWords) -> Iterator[View | str]:
    yield _lane(history, period, "network", "camera", words) or words("health.plot.no_network")
    for name, bad_look in (("broker", "camera"), ("clock", "missing")):
        if lane := _lane(history, period, name, bad_look, words):
            yield lane


def _lane(history: History, period: Period, name: str, bad_look: str, words: PageWords) -> View | None:
    """Returns the lane of a state: when it was good and when not. None if it was never known."""
    states = history.states(name)
    if not states:
        return None
    good, bad = ([span for span, held in states if held == wanted] for wanted in (True, False))
    text = words(f"health.plot.{name}_lost", span=_length(bad, words)) if bad else words(f"health.plot.{name}_good")
    drawn = [Drawn(look, bars(spans, period.span, 0, LANE_HIGH))
             for look, spans in (("recorded", good), (bad_look, bad)) if spans]
    return _plot(name, words(f"health.{name}"), text, drawn)


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
