"""What the detector says about one picture."""
from dataclasses import dataclass
from enum import Enum

from agent.core.model import Box


class Reason(Enum):
    """Why the detector is silent, or trusts itself less than usual."""

    NO_PICTURE = "no_picture"          # the luma plane is empty
    SETTLING = "settling"              # the scene is being learned: a start, a gap in time, a new size, a global change
    GLOBAL_CHANGE = "global_change"    # so much changed at once that no object did it
    FROZEN = "frozen"                  # the camera has been sending one and the same picture
    BUSY = "busy"                      # weather, insects or leaves: confirming an object takes longer


@dataclass(frozen=True, slots=True)
class Look:
    """One observation: is something moving, where, and if not, why that may be."""

    moving: bool
    score: float = 0.0                     # share of the picture that has changed, confirmed or not, 0..1
    boxes: tuple[Box, ...] = ()            # confirmed objects, largest first; empty unless moving
    reasons: tuple[Reason, ...] = ()
    tracks_n: int = 0                      # things followed, confirmed or not

    @property
    def largest(self) -> Box | None:
        """The largest confirmed object, for choosing a thumbnail; None if nothing moves."""
        return self.boxes[0] if self.boxes else None
