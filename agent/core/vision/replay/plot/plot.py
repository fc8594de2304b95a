"""What a replay's plot shows: the score over time above, below it a row for each reason of silence and each variant."""
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import log10

from agent.core.vision.replay.outcome import SILENCES, VariantOutcome, differences
from agent.core.vision.replay.plot.axis import PlotClock, TimeAxis
from agent.core.vision.replay.plot.shapes import Area, Bar, Drawing, Label, PlotLine, Shape, Spot
from agent.core.vision.replay.story import ReplayEvent
from agent.core.vision.replay.trace import FootageStretch, TracePoint

WIDTH, LEFT, RIGHT = 1200.0, 190.0, 1044.0
TOP, SCORE_H = 84.0, 260.0          # of the curve
ROW_H, BAND_H = 30.0, 16.0          # of a variant
REASON_H = 20.0
BAND_MIN_PX, EDGED_MIN_PX = 2.0, 6.0        # shorter events are shown so wide
FINEST = 0.0001                     # of the picture: below, the scale is nearly even, above nearly logarithmic
LINES = (0.0, 0.0001, 0.001, 0.01, 0.1, 1.0)

# Apart in brightness too, and never told by colour alone (after Okabe and Ito).
INK, QUIET, GRID, GAP = "#1f2328", "#59636e", "#d8dee4", "#eef1f4"
CURVE, FILL, LIMIT = "#0072b2", "#cfe3f1", "#b34700"
KEPT, ADDED, MISSED = "#0072b2", "#e69f00", "#b34700"

# Silences by name; any other name is a word already.
REASONS = {"unconfirmed": "not confirmed", "no_zone": "in no zone", "cool_down": "too soon after an event",
           "global_change": "global change", "no_picture": "no picture"}


def plot(title: str, outcomes: Sequence[VariantOutcome], stretches: Sequence[FootageStretch],
         clock: PlotClock) -> Drawing:
    """Draw a replay of at least one stretch; the first outcome is what is set now."""
    return _Plot(outcomes, TimeAxis(stretches, LEFT, RIGHT), clock).drawing(title)


class _Plot:
    """The parts of one plot, from the top down."""

    def __init__(self, outcomes: Sequence[VariantOutcome], axis: TimeAxis, clock: PlotClock) -> None:
        self._now, self._outcomes = outcomes[0], outcomes
        self._axis, self._clock = axis, clock
        self._silences = list(_silences(self._now.points))
        self._rows_y = TOP + SCORE_H + 14
        self._variants_y = self._rows_y + REASON_H * len(self._silences) + 4
        self._bottom = self._variants_y + ROW_H * len(outcomes)

    def drawing(self, title: str) -> Drawing:
        """All of it."""
        shapes = [Label(LEFT, 26, title, 17, bold=True), *self._legend(LEFT, 50), *self._gaps(), *self._scale(),
                  *self._curve(), *self._limits(), *self._silence(), *self._bands(), *self._times()]
        told = "; ".join(self._name(outcome) for outcome in self._outcomes)
        return Drawing(WIDTH, self._bottom + 44, title, told, tuple(shapes))

    def _legend(self, x: float, y: float) -> Iterator[Shape]:
        signs = [("event", KEPT, ""), ("added: no event now", ADDED, INK), ("missed: an event now", "", MISSED)]
        if len(self._axis.stretches) > 1:
            signs.append(("nothing recorded", GAP, GRID))
        for text, fill, edge in signs:
            yield Bar(x, y - 11, 22, 12, fill, edge)
            yield Label(x + 29, y, text, 12, QUIET)
            x += 60 + 6.4 * len(text)

    def _gaps(self) -> Iterator[Shape]:
        for left, right in self._axis.gaps():
            yield Bar(left, TOP, right - left, self._bottom - TOP, GAP)

    def _scale(self) -> Iterator[Shape]:
        yield Label(LEFT, TOP - 6, "share of the picture that has changed", 11, QUIET)
        for share in LINES:
            yield PlotLine(((LEFT, _y(share)), (RIGHT, _y(share))), GRID)
            yield Label(LEFT - 8, _y(share) + 4, f"{100 * share:g} %", 11, QUIET, "end")

    def _curve(self) -> Iterator[Shape]:
        for _, points in groupby(self._now.points, lambda point: self._axis.stretch_of(point.began_s)):
            spots = tuple(self._spots(points))
            yield Area(((spots[0][0], _y(0)), *spots, (spots[-1][0], _y(0))), FILL)
            yield PlotLine(spots, CURVE, 1.4)

    def _spots(self, points: Iterator[TracePoint]) -> Iterator[Spot]:
        for point in points:
            yield self._axis.x(point.began_s), _y(point.score)
            if point.ended_s > point.began_s:
                yield self._axis.x(point.ended_s), _y(point.score)

    def _limits(self) -> Iterator[Shape]:
        """Below the one nothing is an object, above the other everything changes at once."""
        variant = self._now.variant
        for share, meaning in ((variant.least_share, "counts"), (variant.settings.global_share, "global")):
            yield PlotLine(((LEFT, _y(share)), (RIGHT, _y(share))), LIMIT, 1.4, dashed=True)
            yield Label(RIGHT + 8, _y(share) + 4, f"{meaning} from {100 * share:.2g} % on", 11, LIMIT)

    def _silence(self) -> Iterator[Shape]:
        for number, (name, points) in enumerate(self._silences):
            y = self._rows_y + REASON_H * number
            yield Label(LEFT - 8, y + 13, REASONS.get(name, name), 11, QUIET, "end")
            for began_s, ended_s in _spans(points, 2 / self._now.variant.fps):
                yield self._band(began_s, ended_s, y + 4, 10, QUIET)

    def _bands(self) -> Iterator[Shape]:
        for number, outcome in enumerate(self._outcomes):
            y = self._variants_y + ROW_H * number
            missed, added = differences(self._now.events, outcome.events)
            new = set(added)
            yield PlotLine(((LEFT, y), (RIGHT, y)), GRID)
            yield Label(LEFT - 8, y + ROW_H / 2 + 4, self._name(outcome), 12, INK, "end", bold=outcome is self._now)
            for event in missed:
                yield self._event(event, y, "", MISSED)
            for event in outcome.events:
                fill, edge = (ADDED, INK) if event in new else (KEPT, "")
                yield self._event(event, y, fill, edge)

    def _name(self, outcome: VariantOutcome) -> str:
        return f"{outcome.variant.name}: {outcome.events_n}"

    def _event(self, event: ReplayEvent, y: float, fill: str, edge: str) -> Bar:
        return self._band(event.began_s, event.ended_s, y + (ROW_H - BAND_H) / 2, BAND_H, fill, edge)

    def _band(self, began_s: float, ended_s: float, y: float, h: float, fill: str, edge: str = "") -> Bar:
        x = self._axis.x(began_s)
        return Bar(x, y, max(EDGED_MIN_PX if edge else BAND_MIN_PX, self._axis.x(ended_s) - x), h, fill, edge)

    def _times(self) -> Iterator[Shape]:
        yield PlotLine(((LEFT, self._bottom), (RIGHT, self._bottom)), QUIET)
        for tick in self._axis.ticks(self._clock):
            yield PlotLine(((tick.x, self._bottom), (tick.x, self._bottom + 5)), QUIET)
            yield Label(tick.x, self._bottom + 20, tick.text, 11, QUIET)


def _y(share: float) -> float:
    """Where a share of the picture is on the scale."""
    return TOP + SCORE_H * (1 - log10(1 + share / FINEST) / log10(1 + 1 / FINEST))


def _silences(points: Sequence[TracePoint]) -> Iterator[tuple[str, list[TracePoint]]]:
    """Each reason of silence that ever held, by its name, and when it did."""
    kinds = ((name, [point for point in points if name in point.silences]) for name in SILENCES)
    yield from (kind for kind in kinds if kind[1])


def _spans(points: Sequence[TracePoint], apart_s: float) -> Iterator[tuple[float, float]]:
    """Begin and end of each run of points that are no further apart than that."""
    span: tuple[float, float] | None = None
    for point in points:
        if span and point.began_s - span[1] <= apart_s:
            span = span[0], point.ended_s
        else:
            if span:
                yield span
            span = point.began_s, point.ended_s
    if span:
        yield span
