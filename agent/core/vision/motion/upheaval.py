"""So much has changed at once that no object did it: for good, or a flash, or a picture that did not arrive whole."""
from copy import deepcopy
from enum import Enum
from math import sqrt

from agent.core.vision.luma import Luma
from agent.core.vision.motion.background import Background
from agent.core.vision.motion.picture import WorkPicture
from agent.core.vision.motion.settings import MotionSettings


class BackgroundViews:
    """Backgrounds that a global change has left behind, the latest `views_max`."""

    def __init__(self, settings: MotionSettings) -> None:
        """Start with none."""
        self._s = settings
        self._views: list[Background] = []

    def keep(self, background: Background) -> None:
        """Remember a background as it is now, if it has been learned for long enough to be worth it."""
        if background.age_s >= self._s.view_age_s:
            self._views = [*self._views, deepcopy(background)][-self._s.views_max:]

    def exchange(self, background: Background, picture: WorkPicture, differs: float) -> Background | None:
        """The view that `picture` belongs to, ready to go on, or None.

        `differs` is the share of the picture that differs from `background`, which is kept if another one fits better.
        """
        share_max = self._s.view_share * differs
        for view in reversed(self._views):
            if view.compare(picture, 0.0).share < share_max:
                self._views.remove(view)
                self.keep(background)
                view.resume(picture)
                return view
        return None

    def forget(self) -> None:
        """Start anew."""
        self._views = []


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


class Extent(Enum):
    """How far what changed can be trusted."""

    PART = "part"        # of the picture: it may be objects
    DOUBT = "doubt"      # the whole, perhaps only for a moment: nothing is to be learned from it
    WHOLE = "whole"      # the whole, for good: the scene is to be learned anew


class Upheaval:
    """Tells the one from the other by how long it lasts."""

    def __init__(self, settings: MotionSettings) -> None:
        """Start with a steady scene."""
        self._s = settings
        self._since_mono_s: float | None = None
        self.settled_mono_s = float("-inf")        # the scene is being learned until then

    def over(self) -> None:
        """End the upheaval: a known view is back, and nothing is to be learned anew."""
        self._since_mono_s, self.settled_mono_s = None, float("-inf")

    def judge(self, share: float, blank: bool, now_mono_s: float) -> Extent:
        """Take which share of the picture has changed, and whether there is little to see in it."""
        s = self._s
        whole = share > s.global_share
        if not whole and not blank:
            self._since_mono_s = None
            return Extent.PART
        if self._since_mono_s is None:
            self._since_mono_s = now_mono_s
        if now_mono_s - self._since_mono_s < (s.blank_s if blank else s.doubt_s):
            return Extent.DOUBT
        if not whole:
            return Extent.PART
        self.settled_mono_s = now_mono_s + s.settle_s
        return Extent.WHOLE
