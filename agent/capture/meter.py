"""Rates for the heartbeat: counting costs an addition a packet, the arithmetic is done when somebody asks."""
from collections import deque

WINDOW_S = 10.0
READINGS_MAX = 64


class Rate:
    """Amounts a second, over about the last WINDOW_S; `total` is added to by whoever counts."""

    def __init__(self) -> None:
        self.total = 0
        self._readings: deque[tuple[float, int]] = deque(maxlen=READINGS_MAX)

    def per_s(self, now_mono_s: float) -> float | None:
        """The rate since the oldest reading in the window; None at the first."""
        self._readings.append((now_mono_s, self.total))
        while len(self._readings) > 2 and now_mono_s - self._readings[0][0] > WINDOW_S:
            self._readings.popleft()
        then_mono_s, then = self._readings[0]
        return (self.total - then) / (now_mono_s - then_mono_s) if now_mono_s > then_mono_s else None
