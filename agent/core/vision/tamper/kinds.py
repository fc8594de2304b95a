"""The watch's reports: a kind of tampering that has started or ended."""
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The ways in which a camera's view can be wrong."""

    COVERED = "covered"        # a bag, a hand, a lid: nothing of the view is left
    SPRAYED = "sprayed"        # paint on the glass: parts of the view are gone, without an edge
    MOVED = "moved"            # the camera looks elsewhere
    DEFOCUSED = "defocused"    # everything is in its place, without its detail
    BLINDED = "blinded"        # light into the lens
    FROZEN = "frozen"          # pictures come, but always the same one


class Phase(Enum):
    """Which end of a tampering is reported."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Tampering:
    """One change: a kind has started to hold, or holds no longer."""

    kind: Kind
    phase: Phase
    since_mono_s: float     # when what is reported began: the tampering at its start, the usual view at its end
    strength: float         # how much of the view is affected, 0..1; 0 at the end
    detail: str             # one plain sentence for people
