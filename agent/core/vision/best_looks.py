"""Chooses the looks that best show an event's object: a few, each good, at different moments. Pure."""
from dataclasses import dataclass
from typing import Generic, TypeVar

LOOKS_MAX = 5           # the best one, and others for more opinions
APART_S = 0.5           # closer looks show the same

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class RatedLook(Generic[What]):
    """A look's content, time and rating (core.vision.motion.sharpness)."""

    worth: float
    mono_s: float
    what: What


class BestLooks(Generic[What]):
    """The best looks so far, the best first. A new one competes with those close in time, then with the worst."""

    def __init__(self) -> None:
        self.looks: tuple[RatedLook[What], ...] = ()

    def least(self, mono_s: float) -> float:
        if not self.looks:
            return float("-inf")
        near = [look.worth for look in self.looks if abs(look.mono_s - mono_s) < APART_S]
        if near:
            return max(near)
        return self.looks[-1].worth if len(self.looks) == LOOKS_MAX else 0.0

    def add(self, look: RatedLook[What]) -> None:
        if look.worth > self.least(look.mono_s):
            others = [each for each in self.looks if abs(each.mono_s - look.mono_s) >= APART_S]
            self.looks = tuple(sorted((look, *others), key=lambda each: -each.worth)[:LOOKS_MAX])
