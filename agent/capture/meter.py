"""Counts what a camera delivers, for the heartbeat: rates over the last seconds, everything else since the start."""
from collections import deque

WINDOW_S = 10.0


class Rate:
    """Amounts a second over the last WINDOW_S."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=1200)
        self._sum = 0

    def add(self, mono_s: float, amount: int = 1) -> None:
        """Count `amount` at this moment."""
        if len(self._seen) == self._seen.maxlen:
            self._sum -= self._seen[0][1]
        self._seen.append((mono_s, amount))
        self._sum += amount
        self._forget(mono_s)

    def _forget(self, now_mono_s: float) -> None:
        while self._seen and now_mono_s - self._seen[0][0] > WINDOW_S:
            self._sum -= self._seen.popleft()[1]

    def per_s(self, now_mono_s: float) -> float | None:
        """The rate now; None while too little was seen to tell."""
        self._forget(now_mono_s)
        if len(self._seen) < 2:
            return 0.0 if not self._seen else None
        span_s = max(now_mono_s - self._seen[0][0], 1e-3)
        return (self._sum - self._seen[0][1]) / span_s
