"""The detector's report on one picture."""
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from agent.core.media.model import Box


class Reason(Enum):
    """Why the detector is silent, or trusts itself less than usual."""

    NO_PICTURE = "no_picture"          # the luma plane is empty
    SETTLING = "settling"              # the scene is being learned: a start, a gap in time, a new size, a global change
    GLOBAL_CHANGE = "global_change"    # so much changed at once that no object did it
    FROZEN = "frozen"                  # the camera has been sending one and the same picture
    BUSY = "busy"                      # weather, insects or leaves: confirming an object takes longer


class SeenObject(NamedTuple):
    """One confirmed object in sight."""

    number: int     # the same as long as it is followed; never used again by the same detector
    box: Box


@dataclass(frozen=True, slots=True)
class Look:
    """One observation: is something moving, where, and if not, why that may be."""

    moving: bool
    score: float = 0.0                     # share of the picture that has changed, confirmed or not, 0..1
    objects: tuple[SeenObject, ...] = ()         # confirmed, largest first; empty unless moving
    reasons: tuple[Reason, ...] = ()
    tracks_n: int = 0                      # things followed, confirmed or not

    @property
    def blind(self) -> bool:
        """True while nothing can be told from the rest of the picture: that somebody is not seen means nothing then."""
        return bool({Reason.NO_PICTURE, Reason.SETTLING, Reason.GLOBAL_CHANGE}.intersection(self.reasons))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes of the objects, largest first."""
        return tuple([seen.box for seen in self.objects])

    @property
    def largest(self) -> Box | None:
        """The largest confirmed object, for choosing a thumbnail; None if nothing moves."""
        return self.objects[0].box if self.objects else None
