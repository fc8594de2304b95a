"""Rates for the heartbeat: counting costs an addition a packet, the arithmetic is done when somebody asks."""
from collections import deque

WINDOW_S = 10.0
LEAST_S = 1.0               # what came in a shorter time tells of chance, not of a rate
READINGS_MAX = 64


class Rate:
    """Amounts a second, over about the last WINDOW_S; `total` is added to by whoever counts."""

    def __init__(self) -> None:
        self.total = 0
        self._readings: deque[tuple[float, int]] = deque(maxlen=READINGS_MAX)

    def per_s(self, now_mono_s: float) -> float | None:
        """The rate since the oldest reading in the window; None until that is LEAST_S ago."""
        self._readings.append((now_mono_s, self.total))
        while len(self._readings) > 2 and now_mono_s - self._readings[0][0] > WINDOW_S:
            self._readings.popleft()
        then_mono_s, then = self._readings[0]
        seen_s = now_mono_s - then_mono_s
        return (self.total - then) / seen_s if seen_s >= LEAST_S else None


def rounded(value: float | None, digits: int = 2) -> float | None:
    """The value with this many digits; None, which means unknown, stays."""
    return None if value is None else round(value, digits)
