"""The camera's gain, where it tells it: more gain is more noise, from the same picture on."""
from math import sqrt

from agent.core.model import Luma

_RISE_MIN = 1.1         # a gain that creeps is followed by what is learned
_TIMES_MAX = 4.0


class Gain:
    """Follows one camera's gain."""

    def __init__(self) -> None:
        """Start with an unknown gain."""
        self._gain: float | None = None

    def noise_times(self, luma: Luma) -> float:
        """How many times the noise has just grown, at least 1. Most of it is that of light: it grows as the root.

        Less noise needs no haste: expecting too much for a moment raises nothing.
        """
        before, self._gain = self._gain, luma.gain
        if before is None or luma.gain is None or not 0 < before * _RISE_MIN <= luma.gain:
            return 1.0
        return min(sqrt(luma.gain / before), _TIMES_MAX)
