"""How long the card lasts at the present rate. Pure, and silent as long as it does not know."""
from dataclasses import dataclass

DAY_S = 86_400.0
SAMPLE_EVERY_S = 600.0
SAMPLES_N_MAX = 145                 # as many as fit into a day, which is all that counts
LEAST_SPAN_S = 3600.0
DAYS_MAX = 365.0                    # "a year or more"; also what a card that does not fill gets


@dataclass(frozen=True, slots=True)
class FillRate:
    """How fast free space goes, over the last day at most; `add` returns the successor."""

    samples: tuple[tuple[float, int], ...] = ()         # (mono_s, free bytes), oldest first

    def add(self, free_b: int | None, now_mono_s: float) -> "FillRate":
        """Take one look at the card; most are ignored, for a sample every ten minutes is enough."""
        if free_b is None or (self.samples and now_mono_s - self.samples[-1][0] < SAMPLE_EVERY_S):
            return self
        recent = tuple(sample for sample in self.samples if now_mono_s - sample[0] <= DAY_S)
        return FillRate((*recent, (now_mono_s, free_b))[-SAMPLES_N_MAX:])

    @property
    def b_per_day(self) -> float | None:
        """Bytes a day by which free space falls (below zero: it grows); None before an hour of samples."""
        if not self.samples or self.samples[-1][0] - self.samples[0][0] < LEAST_SPAN_S:
            return None
        (then_s, then_b), (last_s, last_b) = self.samples[0], self.samples[-1]
        return (then_b - last_b) / (last_s - then_s) * DAY_S


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
