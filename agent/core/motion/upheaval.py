"""So much has changed at once that no object did it: for good, or a flash, or a picture that did not arrive whole."""
from enum import Enum

from agent.core.motion.settings import MotionSettings


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
        """What came of it is known: there is nothing to learn anew."""
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
