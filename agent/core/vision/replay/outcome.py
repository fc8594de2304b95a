"""The outcome of one variant, and the difference between two."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.vision.motion import Look, Reason
from agent.core.vision.replay.story import ReplayEvent
from agent.core.vision.replay.variant import Variant
from agent.core.vision.zones import Counted

UNCONFIRMED = "unconfirmed"     # something is followed, but not confirmed as an object
NO_ZONE = "no_zone"             # objects move, but fulfil no zone
COOL_DOWN = "cool_down"         # motion counts, but the last event has only just ended
SILENCES = (*(reason.value for reason in Reason), UNCONFIRMED, NO_ZONE, COOL_DOWN)


def silences(look: Look, counted: Counted, told: bool) -> frozenset[str]:
    """Returns those of SILENCES that apply to a look; none during motion.

    `counted` are its counting objects; `told`: an event is open.
    """
    if counted.objects:
        return frozenset() if told else frozenset({COOL_DOWN})
    if look.moving:
        return frozenset({NO_ZONE})
    if look.reasons:
        return frozenset(reason.value for reason in look.reasons)
    return frozenset({UNCONFIRMED} if look.tracks_n else ())


ALIKE_S = 1.0               # events that are no further apart are the same


class FootageStretch(NamedTuple):
    """Footage without a gap, from its first picture to its last."""

    began_s: float
    ended_s: float


class Peak(NamedTuple):
    """The time of the largest change, and the changed share of the picture, 0..1."""

    at_s: float
    score: float


@dataclass(frozen=True, slots=True)
class VariantOutcome:
    variant: Variant
    events: tuple[ReplayEvent, ...]
    events_n: int                       # more than `events` if there were too many to keep
    looks_n: int
    moving_s: float                     # with motion that counts
    silent_s: dict[str, float]          # time without an event, by SILENCES, which may overlap
    peak: Peak | None                   # the strongest moment, with or without an event; None without a picture


class Difference(NamedTuple):
    missed: tuple[ReplayEvent, ...]       # events that the other variant does not have
    added: tuple[ReplayEvent, ...]        # events that only the other variant has


def differences(now: Sequence[ReplayEvent], other: Sequence[ReplayEvent]) -> Difference:
    """Compares two lists of events, each in order of time and without overlaps."""
    return Difference(_without(now, other), _without(other, now))


def _without(events: Sequence[ReplayEvent], others: Sequence[ReplayEvent]) -> tuple[ReplayEvent, ...]:
    alone, at = [], 0
    for event in events:
        while at < len(others) and others[at].ended_s < event.began_s - ALIKE_S:
            at += 1
        if at == len(others) or others[at].began_s > event.ended_s + ALIKE_S:
            alone.append(event)
    return tuple(alone)
