"""What is seen now, averaged over some looks: walkers, rain, insects and noise leave little of themselves in it."""
import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import TamperSight, common, lasting


class Lately:
    """The average sight of the last seconds, and how much of it is noise."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        """Start from one sight."""
        self._s = settings
        self._last = first
        self.fine, self.edges, self.axes = first.fine.copy(), first.edges.copy(), first.axes.copy()
        self.levels, self.white = first.levels.copy(), first.white.copy()
        self.power = first.power.copy()                    # of the detail in single sights, noise included
        self.edge_noise = np.zeros_like(self.power)        # power of the noise in a single sight
        self.noise_left = 1.0                              # share of the noise's power that the average still has
        self.looks_n = 1

    def see(self, sight: TamperSight) -> None:
        """Take the next sight."""
        self.looks_n += 1
        new = max(weight(sight.mono_s - self._last.mono_s, self._s.lately_s), 1 / self.looks_n)
        edge_step = sight.edges - self._last.edges
        for average, value in ((self.fine, sight.fine), (self.edges, sight.edges), (self.axes, sight.axes),
                               (self.levels, sight.levels), (self.white, sight.white),
                               (self.power, sight.power),
                               (self.edge_noise, common(edge_step, edge_step) / 2)):
            cv2.accumulateWeighted(value, average, new)
        self.noise_left = (1 - new) ** 2 * self.noise_left + new ** 2
        self._last = sight

    def detail(self) -> np.ndarray:
        """Power of the detail that stays from look to look, in each cell."""
        return lasting(self.fine, self.power, self.noise_left)
