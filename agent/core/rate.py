"""Limits how often something happens. Pure: the caller passes the time."""
from dataclasses import dataclass, field

WINDOW_S = 60.0


@dataclass(slots=True)
class RateLimit:
    """At most `limit_n` a minute. The first event begins a minute."""

    limit_n: int
    _began_mono_s: float = field(default=float("-inf"), init=False)
    _n: int = field(default=0, init=False)

    def allows(self, now_mono_s: float) -> bool:
        if now_mono_s - self._began_mono_s >= WINDOW_S:
            self._began_mono_s, self._n = now_mono_s, 0
        self._n += 1
        return self._n <= self.limit_n


@dataclass(slots=True)
class BurstLimit:
    """At most `burst_n` in a row, and one every `every_s` on average."""

    burst_n: int
    every_s: float
    _done_mono_s: float = field(default=float("-inf"), init=False)     # when the allowed events are worked off

    def allows(self, now_mono_s: float) -> bool:
        if self.wait_s(now_mono_s) > 0:
            return False
        self._done_mono_s = max(self._done_mono_s, now_mono_s) + self.every_s
        return True

    def wait_s(self, now_mono_s: float) -> float:
        return max(0.0, self._done_mono_s - now_mono_s - (self.burst_n - 1) * self.every_s)
