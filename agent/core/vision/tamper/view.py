"""A view as it usually is in one light, learned over minutes."""
import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import GRID, TamperSight, lasting


class View:
    """Average edges and detail, and the light in which they were seen."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        """Start from one sight."""
        self._s = settings
        self.fine, self.edges, self.axes = first.fine.copy(), first.edges.copy(), first.axes.copy()
        self.levels, self.white = first.levels.copy(), first.white.copy()
        self.power = first.power.copy()                     # of the detail in single sights, noise included
        self.lux = first.lux                                # what the camera told last
        self.cell_n = first.edges[..., 0].size / (GRID[0] * GRID[1])      # pixels of a cell
        self.age_s = 0.0                                    # for which it has been seen
        self._noise_left = 1.0
        self._looks_n = 1

    @property
    def ready(self) -> bool:
        """True once it is known well enough to be missed."""
        return self.age_s >= self._s.ready_s and self._looks_n >= self._s.ready_looks_n

    def learn(self, sight: TamperSight, dt_s: float) -> None:
        """Move towards `sight`, which stands for the `dt_s` before it."""
        self._looks_n += 1
        self.age_s += dt_s
        new = max(weight(dt_s, self._s.learn_s), 1 / self._looks_n)
        for average, value in ((self.fine, sight.fine), (self.edges, sight.edges), (self.axes, sight.axes),
                               (self.levels, sight.levels), (self.white, sight.white),
                               (self.power, sight.power)):
            cv2.accumulateWeighted(value, average, new)
        self._noise_left = (1 - new) ** 2 * self._noise_left + new ** 2
        self.lux = sight.lux

    def detail(self) -> np.ndarray:
        """Power of the detail that is always there, in each cell."""
        return lasting(self.fine, self.power, self._noise_left)
