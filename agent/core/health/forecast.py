"""How long the card has room at the present rate, how long footage stays then, and how long the card itself lasts.

Pure, silent until it knows.
"""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.retention import shares

UNRATED_WRITES_N = 300              # a card whose maker promises nothing: so often its own size
AMPLIFICATION = (3.0, 1.2)          # bytes written inside for each one given, at worst and at best
LIFE_DAYS_MAX = 36_500.0
TB = 1_000_000_000_000
DAY_S = 86_400.0
SAMPLE_EVERY_S = 600.0
SAMPLES_N_MAX = 145                 # as many as fit into a day, which is all that counts
LEAST_SPAN_S = 3600.0
DAYS_MAX = 365.0                    # "a year or more"; also what a card that does not fill gets


def life_days(total_b: int | None, rated_tb: float, b_per_day: float | None) -> tuple[float, float] | None:
    """Days until a new card of this size is worn out, at worst and at best; None when unknown.

    `rated_tb` are the terabytes that its maker promises, 0 where there is no such promise.
    """
    if not total_b or b_per_day is None or b_per_day < 0:
        return None
    endurance_b = rated_tb * TB if rated_tb else total_b * UNRATED_WRITES_N
    worst, best = (min(endurance_b / max(b_per_day * factor, 1), LIFE_DAYS_MAX) for factor in AMPLIFICATION)
    return worst, best


@dataclass(frozen=True, slots=True)
class Trend:
    """How a number of bytes moves, over the last day at most; `add` returns the successor."""

    samples: tuple[tuple[float, int], ...] = ()         # (mono_s, bytes), oldest first

    def add(self, count_b: int | None, now_mono_s: float) -> "Trend":
        """Take one look; most are ignored, for a sample every ten minutes is enough."""
        if count_b is None or (self.samples and now_mono_s - self.samples[-1][0] < SAMPLE_EVERY_S):
            return self
        recent = tuple(sample for sample in self.samples if now_mono_s - sample[0] <= DAY_S)
        return Trend((*recent, (now_mono_s, count_b))[-SAMPLES_N_MAX:])

    @property
    def falls_b_per_day(self) -> float | None:
        """Bytes a day by which it falls (below zero: it rises); None before an hour of samples."""
        rises = self.rises_b_per_day
        return None if rises is None else -rises

    @property
    def rises_b_per_day(self) -> float | None:
        """Bytes a day by which it rises (below zero: it falls); None before an hour of samples."""
        if not self.samples or self.samples[-1][0] - self.samples[0][0] < LEAST_SPAN_S:
            return None
        (then_s, then_b), (last_s, last_b) = self.samples[0], self.samples[-1]
        return (last_b - then_b) / (last_s - then_s) * DAY_S


def days_left(free_b: int | None, total_b: int | None, floor_pct: float, b_per_day: float | None) -> float | None:
    """Days until retention must delete to keep its floor free; None when unknown.

    At most 365, which also says "it does not fill": retention keeps pace or nothing is recorded.
    """
    if free_b is None or not total_b or b_per_day is None:
        return None
    if b_per_day <= 0:
        return DAYS_MAX
    room_b = max(free_b - total_b * floor_pct / 100, 0)
    return min(room_b / b_per_day, DAYS_MAX)


class RecordingRate(NamedTuple):
    """What a camera records, bytes a day."""

    motion_b: float
    continuous_b: float


def days_kept(room_b: float, flows: Mapping[str, RecordingRate], keep_days: float,
              keep_continuous_days: float) -> dict[str, float]:
    """How many days each camera's footage stays, at what it records now: all that are wanted, if there is room for it.

    Told are the days of its events; of a camera without any, those of its other video.
    """
    wanted_b = {camera: flow.motion_b * keep_days + flow.continuous_b * keep_continuous_days
                for camera, flow in flows.items()}
    got_b = shares(room_b, {camera: size_b for camera, size_b in wanted_b.items() if size_b > 0})
    return {camera: got_b[camera] / wanted_b[camera] * (keep_days if flows[camera].motion_b else keep_continuous_days)
            for camera in got_b}
