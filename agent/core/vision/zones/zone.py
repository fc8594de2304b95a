"""The zones that a household draws into the picture: an area or a line, and what has to happen there."""
from dataclasses import dataclass
from enum import Enum

from agent.core.media.model import Point


class ZoneRule(Enum):
    """The condition of a zone."""

    WATCH = "watch"      # something moves in the area
    ENTER = "enter"      # something that was seen outside has come into the area
    DWELL = "dwell"      # something has stayed in the area for `dwell_s`
    CROSS = "cross"      # something has gone over the line


class Direction(Enum):
    """To which side something must go over a line, as seen along it from its first point to its last."""

    BOTH = "both"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone; its name goes into the event."""

    name: str
    rule: ZoneRule
    area: tuple[Point, ...] = ()                # three corners or more; for all rules but CROSS
    line: tuple[Point, ...] = ()                # two points or more; for CROSS
    direction: Direction = Direction.BOTH       # for CROSS
    dwell_s: float = 0.0                        # for DWELL
