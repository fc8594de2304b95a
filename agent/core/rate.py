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
