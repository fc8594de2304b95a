"""Handles changes of the whole picture, too large for an object: for good, or a flash, or a broken picture."""
from copy import deepcopy
from enum import Enum
from math import sqrt

from agent.core.vision.luma import Luma
from agent.core.vision.motion.background import Background
from agent.core.vision.motion.picture import WorkPicture
from agent.core.vision.motion.settings import MotionSettings


class BackgroundViews:
    """Backgrounds before global changes, the latest `views_max`."""

    def __init__(self, settings: MotionSettings) -> None:
        self._s = settings
        self._views: list[Background] = []

    def keep(self, background: Background) -> None:
        """Remembers a background as it is now, if it was learned for long enough."""
        if background.age_s >= self._s.view_age_s:
            self._views = [*self._views, deepcopy(background)][-self._s.views_max:]

    def exchange(self, background: Background, picture: WorkPicture, differs: float) -> Background | None:
        """Returns the view that fits `picture`, ready to continue; None if absent. `differs` is the share of the
        picture that differs from `background`, which is kept if another view fits better."""
        share_max = self._s.view_share * differs
        for view in reversed(self._views):
            if view.compare(picture, 0.0).share < share_max:
                self._views.remove(view)
                self.keep(background)
                view.resume(picture)
                return view
        return None

    def forget(self) -> None:
        self._views = []


_RISE_MIN = 1.1         # a slowly rising gain is learned anyway
_TIMES_MAX = 4.0


class Gain:
    def __init__(self) -> None:
        self._gain: float | None = None

    def noise_times(self, luma: Luma) -> float:
        """Returns by how much the noise has just grown, at least 1. Most noise is that of light, which grows as the
        root. Falling noise can wait: expecting too much for a moment does no harm."""
        before, self._gain = self._gain, luma.gain
        if before is None or luma.gain is None or not 0 < before * _RISE_MIN <= luma.gain:
            return 1.0
        return min(sqrt(luma.gain / before), _TIMES_MAX)


class Extent(Enum):
    PART = "part"        # a part of the picture: it may be objects
    DOUBT = "doubt"      # the whole, perhaps only for a moment: learn nothing from it
    WHOLE = "whole"      # the whole, for good: learn the scene again


class Upheaval:
    def __init__(self, settings: MotionSettings) -> None:
        self._s = settings
        self._since_mono_s: float | None = None
        self.settled_mono_s = float("-inf")        # the scene is being learned until then

    def over(self) -> None:
        self._since_mono_s, self.settled_mono_s = None, float("-inf")

    def judge(self, share: float, blank: bool, now_mono_s: float) -> Extent:
        """Takes the changed share of the picture, and whether its contrast is low. Returns the change's extent."""
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
