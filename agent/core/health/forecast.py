"""Forecasts how long the card has room at the present rate, how long footage stays, and how long the card lasts.

Pure. Unknown values give None.
"""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.health.conditions import Condition
from agent.core.retention import shares

UNRATED_WRITES_N = 300              # a card without its maker's promise: this many times its own size
AMPLIFICATION = (3.0, 1.2)          # bytes written inside for each given byte, at worst and at best
LIFE_DAYS_MAX = 36_500.0
TB = 1_000_000_000_000
DAY_S = 86_400.0
SAMPLE_EVERY_S = 600.0
SAMPLES_N_MAX = 145                 # enough for a day, which is all that counts
LEAST_SPAN_S = 3600.0
WORN_PCT, WEEK_D = 90, 7.0
FAILING = ("card_io", "card_read_only", "card_hung", "card_drops_writes")
ILL_DAY_POINTS = 6                  # half an hour, if each of its five-minute samples had a slow flush
ILL_DAYS_N, ILL_OF_DAYS_N = 3, 14
DAYS_MAX = 365.0                    # "a year or more"; also if the card does not fill


def life_days(total_b: int | None, rated_tb: float, b_per_day: float | None) -> tuple[float, float] | None:
    """Returns the days until a new card of this size is worn out, at worst and at best; None if unknown. `rated_tb`
    are the terabytes that its maker promises; 0 if there is no promise."""
    if not total_b or b_per_day is None or b_per_day < 0:
        return None
    endurance_b = rated_tb * TB if rated_tb else total_b * UNRATED_WRITES_N
    worst, best = (min(endurance_b / max(b_per_day * factor, 1), LIFE_DAYS_MAX) for factor in AMPLIFICATION)
    return worst, best


def card_ill(conditions: Iterable[Condition], slow: bool) -> int:
    """Returns points for the card's state at one moment: `ILL_DAY_POINTS` are a day of trouble, a slow flush is one."""
    failing = any(condition.code in FAILING and condition.severity == "alarm" for condition in conditions)
    return ILL_DAY_POINTS if failing else int(slow)


def end_in_sight(worn_pct: int | None, lifetime_b: int | None, rated_tb: float, b_per_day: float | None,
                 ill_days_n: int | None) -> str | None:
    """Returns the sign that the card will fail within days; None if absent. One bad day is not a sign. `worn_pct` is
    what an eMMC reports. `lifetime_b` bytes were written of the `rated_tb` terabytes that its maker promises."""
    if worn_pct is not None and worn_pct >= WORN_PCT:
        return f"worn: {worn_pct} %"
    if rated_tb and lifetime_b is not None and lifetime_b + (b_per_day or 0) * WEEK_D >= rated_tb * TB:
        return f"written: {lifetime_b / TB:.1f} of {rated_tb:g} TB"
    if ill_days_n is not None and ill_days_n >= ILL_DAYS_N:
        return f"trouble: {ill_days_n} of {ILL_OF_DAYS_N} days"
    return None


@dataclass(frozen=True, slots=True)
class Trend:
    """How a number of bytes changes, over the last day at most. Immutable: `add` returns the next trend."""

    samples: tuple[tuple[float, int], ...] = ()         # (mono_s, bytes), oldest first

    def add(self, count_b: int | None, now_mono_s: float) -> "Trend":
        """Adds a look. Ignores most of them, because one sample every ten minutes is enough."""
        if count_b is None or (self.samples and now_mono_s - self.samples[-1][0] < SAMPLE_EVERY_S):
            return self
        recent = tuple(sample for sample in self.samples if now_mono_s - sample[0] <= DAY_S)
        return Trend((*recent, (now_mono_s, count_b))[-SAMPLES_N_MAX:])

    @property
    def falls_b_per_day(self) -> float | None:
        """Bytes a day by which it falls (negative: it rises); None before an hour of samples."""
        rises = self.rises_b_per_day
        return None if rises is None else -rises

    @property
    def rises_b_per_day(self) -> float | None:
        """Bytes a day by which it rises (negative: it falls); None before an hour of samples."""
        if not self.samples or self.samples[-1][0] - self.samples[0][0] < LEAST_SPAN_S:
            return None
        (then_s, then_b), (last_s, last_b) = self.samples[0], self.samples[-1]
        return (last_b - then_b) / (last_s - then_s) * DAY_S


def days_left(free_b: int | None, total_b: int | None, floor_pct: float, b_per_day: float | None) -> float | None:
    """Returns the days until retention must delete to keep its floor free; None if unknown. At most 365, which also
    means "it does not fill": retention keeps pace or nothing is recorded."""
    if free_b is None or not total_b or b_per_day is None:
        return None
    if b_per_day <= 0:
        return DAYS_MAX
    room_b = max(free_b - total_b * floor_pct / 100, 0)
    return min(room_b / b_per_day, DAYS_MAX)


class RecordingRate(NamedTuple):
    """A camera's recordings, bytes a day."""

    motion_b: float
    continuous_b: float


def days_kept(room_b: float, flows: Mapping[str, RecordingRate], keep_days: float,
              keep_continuous_days: float) -> dict[str, float]:
    """Returns how many days each camera's footage stays at its present rate: the configured days if there is room.
    These are the days of its events, or of its continuous video if it has no events."""
    wanted_b = {camera: flow.motion_b * keep_days + flow.continuous_b * keep_continuous_days
                for camera, flow in flows.items()}
    got_b = shares(room_b, {camera: size_b for camera, size_b in wanted_b.items() if size_b > 0})
    return {camera: got_b[camera] / wanted_b[camera] * (keep_days if flows[camera].motion_b else keep_continuous_days)
            for camera in got_b}
