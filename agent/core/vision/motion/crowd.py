"""What passes here without being an object: flakes, insects, leaves. A thing that is like them needs more evidence."""
from math import exp

import numpy as np

_RATE_S = 10.0          # time constant of the rate
_MEMORY_N = 40          # the latest this many give the usual habits
_KNOWN_N = 3            # with fewer nothing is known
_ODDEST = 3.0           # spreads beyond which a habit is odd enough
_SPREAD_MIN = np.array((0.4, 0.5, 0.15, 0.25))      # of the habits


class Crowd:
    def __init__(self) -> None:
        self.rate_per_s = 0.0
        self._n, self._mean, self._square = 0, np.zeros(len(_SPREAD_MIN)), np.ones(len(_SPREAD_MIN))

    def passed(self, lost: np.ndarray, dt_s: float) -> None:
        """Takes the tracks (TRACK) that were lost without being confirmed, in the `dt_s` since the picture before."""
        self.rate_per_s *= exp(-dt_s / _RATE_S)
        lost = lost[lost["sights"] > 1]
        self.rate_per_s += len(lost) / _RATE_S
        for habit in _habits(lost) if len(lost) else ():
            self._n = min(self._n + 1, _MEMORY_N)
            self._mean = self._mean + (habit - self._mean) / self._n
            self._square = self._square + ((habit - self._mean) ** 2 - self._square) / self._n

    def oddness(self, tracks: np.ndarray) -> np.ndarray:
        """Returns by how many spreads each is different from what passes here; 0 as long as little has passed."""
        if self._n < _KNOWN_N:
            return np.zeros(len(tracks))
        off = (_habits(tracks) - self._mean) / np.maximum(np.sqrt(self._square), _SPREAD_MIN)
        return np.sqrt((np.clip(off, -_ODDEST, _ODDEST) ** 2).sum(axis=1))


def _habits(tracks: np.ndarray) -> np.ndarray:
    """Logarithms of area and speed, overlap with the picture before, and net way over all the way."""
    speed, net = np.hypot(*tracks["speed"].T), np.hypot(*(tracks["at"] - tracks["first"]).T)
    return np.array((np.log(tracks["area"]), np.log(speed + 2.0), tracks["overlap"], net / (tracks["path"] + 0.5))).T
