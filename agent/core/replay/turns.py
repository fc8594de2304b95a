"""Which pictures are looked at: as many as were asked for, whatever the footage brings."""


class Turns:
    """A little early is in time, for frames jitter; what was late is made up for by half a period at most."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._next_s = float("-inf")

    def due(self, at_s: float) -> bool:
        """Whether the picture of that time is to be looked at."""
        return at_s >= self._next_s

    def took(self, at_s: float) -> None:
        """It was."""
        self._next_s = max(self._next_s + self._period_s, at_s + self._period_s / 2)
