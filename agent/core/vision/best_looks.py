"""Which looks at an event show best what it was: a few, each good, at different moments. Pure."""
from dataclasses import dataclass
from typing import Generic, TypeVar

LOOKS_MAX = 5           # the best one, and more for further opinions
APART_S = 0.5           # looks that are closer together show the same

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class RatedLook(Generic[What]):
    """What a look shows, when, and what that is worth (core.vision.motion.sharpness)."""

    worth: float
    mono_s: float
    what: What


class BestLooks(Generic[What]):
    """The best looks so far, the best first. A new one competes with those close to it, then with the least."""

    def __init__(self) -> None:
        self.looks: tuple[RatedLook[What], ...] = ()

    def least(self, mono_s: float) -> float:
        """A look at this time must be worth more than that to be kept."""
        if not self.looks:
            return float("-inf")
        near = [look.worth for look in self.looks if abs(look.mono_s - mono_s) < APART_S]
        if near:
            return max(near)
        return self.looks[-1].worth if len(self.looks) == LOOKS_MAX else 0.0

    def add(self, look: RatedLook[What]) -> None:
        """Keep the look, if it is worth it; what it shows better goes."""
        if look.worth > self.least(look.mono_s):
            others = [each for each in self.looks if abs(each.mono_s - look.mono_s) >= APART_S]
            self.looks = tuple(sorted((look, *others), key=lambda each: -each.worth)[:LOOKS_MAX])
