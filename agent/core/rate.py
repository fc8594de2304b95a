"""How often something may happen. Pure: time is handed in."""
from dataclasses import dataclass, field

WINDOW_S = 60.0


@dataclass(slots=True)
class RateLimit:
    """At most `limit_n` a minute, counted in minutes that begin with the first one."""

    limit_n: int
    _began_mono_s: float = field(default=float("-inf"), init=False)
    _n: int = field(default=0, init=False)

    def allows(self, now_mono_s: float) -> bool:
        """Count one more; returns whether it is still within the limit."""
        if now_mono_s - self._began_mono_s >= WINDOW_S:
            self._began_mono_s, self._n = now_mono_s, 0
        self._n += 1
        return self._n <= self.limit_n


@dataclass(slots=True)
class BurstLimit:
    """At most `burst_n` in a row, and one each `every_s` for good."""

    burst_n: int
    every_s: float
    _done_mono_s: float = field(default=float("-inf"), init=False)     # when all that was allowed would be worked off

    def allows(self, now_mono_s: float) -> bool:
        """Count one more, if it may be now."""
        if self.wait_s(now_mono_s) > 0:
            return False
        self._done_mono_s = max(self._done_mono_s, now_mono_s) + self.every_s
        return True

    def wait_s(self, now_mono_s: float) -> float:
        """Seconds until the next one may be."""
        return max(0.0, self._done_mono_s - now_mono_s - (self.burst_n - 1) * self.every_s)
