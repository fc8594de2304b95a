"""The outcome of one variant, and the difference between two."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.vision.motion import Look, Reason
from agent.core.vision.replay.story import ReplayEvent
from agent.core.vision.replay.trace import TracePoint
from agent.core.vision.replay.variant import Variant
from agent.core.vision.zones import Counted

UNCONFIRMED = "unconfirmed"     # something is followed, but not sure to be an object
NO_ZONE = "no_zone"             # objects move, and fulfil no zone
COOL_DOWN = "cool_down"         # what moves counts, but the last event has only just ended
SILENCES = (*(reason.value for reason in Reason), UNCONFIRMED, NO_ZONE, COOL_DOWN)


def silences(look: Look, counted: Counted, told: bool) -> frozenset[str]:
    """Those of SILENCES that hold for a look, of which `counted` counts; `told`: an event is going on. None for motion.
    """
    if counted.objects:
        return frozenset() if told else frozenset({COOL_DOWN})
    if look.moving:
        return frozenset({NO_ZONE})
    if look.reasons:
        return frozenset(reason.value for reason in look.reasons)
    return frozenset({UNCONFIRMED} if look.tracks_n else ())


ALIKE_S = 1.0               # events that are no further apart are one and the same


@dataclass(frozen=True, slots=True)
class VariantOutcome:
    """One variant's replay."""

    variant: Variant
    events: tuple[ReplayEvent, ...]
    events_n: int                       # more than `events` if there were too many to keep
    looks_n: int
    moving_s: float                     # with motion in sight that counts
    silent_s: dict[str, float]          # without an event for it: by SILENCES; they may overlap
    points: tuple[TracePoint, ...]

    @property
    def peak(self) -> TracePoint | None:
        """The strongest moment, event or not; None without a picture."""
        return max(self.points, key=lambda point: point.score, default=None)


class Difference(NamedTuple):
    """The change that another variant would have made."""

    missed: tuple[ReplayEvent, ...]       # events now that it would not have
    added: tuple[ReplayEvent, ...]        # events that only it would have


def differences(now: Sequence[ReplayEvent], other: Sequence[ReplayEvent]) -> Difference:
    """Compare two lists of events, each in order of time and without overlap."""
    return Difference(_without(now, other), _without(other, now))


def _without(events: Sequence[ReplayEvent], others: Sequence[ReplayEvent]) -> tuple[ReplayEvent, ...]:
    """The `events` that overlap none of `others`."""
    alone, at = [], 0
    for event in events:
        while at < len(others) and others[at].ended_s < event.began_s - ALIKE_S:
            at += 1
        if at == len(others) or others[at].began_s > event.ended_s + ALIKE_S:
            alone.append(event)
    return tuple(alone)
