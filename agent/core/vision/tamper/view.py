"""Averages of sights: the usual view in one light, learned over minutes, and the present view, averaged over seconds.

Walkers, rain, insects and noise hardly show in an average.
"""
import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import GRID, TamperSight, common, lasting

_PLANES = ("fine", "edges", "axes", "levels", "white", "power")


class _Average:
    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        self._s = settings
        self.fine, self.edges, self.axes = first.fine.copy(), first.edges.copy(), first.axes.copy()
        self.levels, self.white = first.levels.copy(), first.white.copy()
        self.power = first.power.copy()         # of the detail in single sights, including noise
        self.noise_left = 1.0                   # share of the noise's power that is left in the average
        self._looks_n = 1

    def _move(self, sight: TamperSight, dt_s: float, time_constant_s: float) -> float:
        self._looks_n += 1
        new = max(weight(dt_s, time_constant_s), 1 / self._looks_n)
        for plane in _PLANES:
            cv2.accumulateWeighted(getattr(sight, plane), getattr(self, plane), new)
        self.noise_left = (1 - new) ** 2 * self.noise_left + new ** 2
        return new

    def detail(self) -> np.ndarray:
        """Returns the power of the detail that all sights share, in each cell."""
        return lasting(self.fine, self.power, self.noise_left)


class View(_Average):
    """Average edges and detail, and their light."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        super().__init__(first, settings)
        self.lux = first.lux                                # the camera's latest value
        self.cell_n = first.edges[..., 0].size / (GRID[0] * GRID[1])      # pixels in a cell
        self.age_s = 0.0                                    # how long it was seen

    @property
    def ready(self) -> bool:
        return self.age_s >= self._s.ready_s and self._looks_n >= self._s.ready_looks_n

    def learn(self, sight: TamperSight, dt_s: float) -> None:
        """Moves towards `sight`, which stands for the `dt_s` before it."""
        self.age_s += dt_s
        self._move(sight, dt_s, self._s.learn_s)
        self.lux = sight.lux


class Lately(_Average):
    """The average sight of the last seconds, and its noise."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        super().__init__(first, settings)
        self._last = first
        self.edge_noise = np.zeros_like(self.power)        # power of the noise in a single sight

    def see(self, sight: TamperSight) -> None:
        new = self._move(sight, sight.mono_s - self._last.mono_s, self._s.lately_s)
        edge_step = sight.edges - self._last.edges
        cv2.accumulateWeighted(common(edge_step, edge_step) / 2, self.edge_noise, new)
        self._last = sight
