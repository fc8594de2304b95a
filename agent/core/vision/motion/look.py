"""The detector's result for one picture."""
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from agent.core.media.model import Box


class Reason(Enum):
    """Why the detector is silent, or less certain than usual."""

    NO_PICTURE = "no_picture"          # the luma plane is empty
    SETTLING = "settling"              # the scene is being learned: a start, a gap in time, a new size, a global change
    GLOBAL_CHANGE = "global_change"    # more changed at once than an object can change
    FROZEN = "frozen"                  # the camera sends the same picture
    BUSY = "busy"                      # weather, insects or leaves: confirming an object takes longer


class SeenObject(NamedTuple):
    """A confirmed object in the picture."""

    number: int     # constant while it is followed; never reused by this detector
    box: Box


@dataclass(frozen=True, slots=True)
class Look:
    """One observation: whether and where something moves, and if not, possible reasons."""

    moving: bool
    score: float = 0.0                     # share of the picture that has changed, confirmed or not, 0..1
    objects: tuple[SeenObject, ...] = ()         # confirmed, largest first; empty unless moving
    reasons: tuple[Reason, ...] = ()
    tracks_n: int = 0                      # followed things, confirmed or not

    @property
    def blind(self) -> bool:
        """Whether the picture allows no conclusion now: then no sight of a person means nothing."""
        return bool({Reason.NO_PICTURE, Reason.SETTLING, Reason.GLOBAL_CHANGE}.intersection(self.reasons))

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple([seen.box for seen in self.objects])

    @property
    def largest(self) -> Box | None:
        """The largest confirmed object (for a thumbnail); None if nothing moves."""
        return self.objects[0].box if self.objects else None
