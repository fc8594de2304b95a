"""Measures rates for the heartbeat. Counting costs one addition per packet; `per_s` does the arithmetic."""
from collections import deque

WINDOW_S = 10.0
LEAST_S = 1.0               # a shorter time gives no reliable rate
READINGS_MAX = 64


class Rate:
    """An amount per second, over about the last WINDOW_S. The caller adds to `total`."""

    def __init__(self) -> None:
        self.total = 0
        self._readings: deque[tuple[float, int]] = deque(maxlen=READINGS_MAX)

    def per_s(self, now_mono_s: float) -> float | None:
        """Returns the rate since the oldest reading in the window; None if that was less than LEAST_S ago."""
        self._readings.append((now_mono_s, self.total))
        while len(self._readings) > 2 and now_mono_s - self._readings[0][0] > WINDOW_S:
            self._readings.popleft()
        then_mono_s, then = self._readings[0]
        seen_s = now_mono_s - then_mono_s
        return (self.total - then) / seen_s if seen_s >= LEAST_S else None


def rounded(value: float | None, digits: int = 2) -> float | None:
    """Rounds a value; None, which means unknown, stays None."""
    return None if value is None else round(value, digits)
