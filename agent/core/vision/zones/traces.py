"""What one object has done about one zone so far: each trace takes its box and says whether the zone is fulfilled.

A box jitters: by a pixel of the picture that is analysed, and with what of the object happens to differ from what is
behind it. Therefore a border counts as crossed only by an object that comes clearly, by a margin, from its other side.
"""
from math import inf

from agent.core.media.model import Box, Point
from agent.core.vision.zones.geometry import centre, crossings, foot, to_area, to_line
from agent.core.vision.zones.zone import Direction, Zone, ZoneRule

_MARGIN = 0.01              # of the picture, plus
_MARGIN_SIZES = 0.1         # this much of the object's longer side
_WANTED = {Direction.BOTH: (Direction.LEFT, Direction.RIGHT), Direction.LEFT: (Direction.LEFT,),
           Direction.RIGHT: (Direction.RIGHT,)}


def _margin(box: Box) -> float:
    return _MARGIN + _MARGIN_SIZES * max(box.w, box.h)


class ZonePresence:
    """An object and an area. It is inside as soon as its foot or its centre is, and until both are clearly outside."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._was_outside = False           # clearly, at some time
        self._came_in = False               # to be inside now, from outside
        self._since_mono_s = inf            # inside; inf outside

    def see(self, box: Box, mono_s: float) -> bool:
        """Take where the object is now; whether the zone is fulfilled."""
        away = min(to_area(at, self._zone.area) for at in (foot(box), centre(box)))
        if away == 0 and self._since_mono_s == inf:
            self._since_mono_s, self._came_in = mono_s, self._was_outside
        elif away > _margin(box):
            self._since_mono_s, self._was_outside = inf, True
        inside_s = mono_s - self._since_mono_s
        match self._zone.rule:
            case ZoneRule.ENTER:
                return inside_s >= 0 and self._came_in
            case ZoneRule.DWELL:
                return inside_s >= self._zone.dwell_s
            case _:
                return inside_s >= 0


class Passage:
    """An object and a line: where its foot goes over it. Having gone over it lasts until it goes back.

    The line is on the ground, where feet are; beyond its ends one can walk around it.
    """

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._clear: Point | None = None        # where the foot was when it last was clearly beside the line
        self._went: Direction | None = None     # to which side it last went

    def see(self, box: Box, mono_s: float) -> bool:
        """Take where the object is now; whether the zone is fulfilled."""
        at = foot(box)
        if to_line(at, self._zone.line) > _margin(box):
            over = 0 if self._clear is None else crossings(self._clear, at, self._zone.line)
            if over:
                self._went = Direction.LEFT if over > 0 else Direction.RIGHT
            self._clear = at
        return self._went in _WANTED[self._zone.direction]


Trace = ZonePresence | Passage


def trace(zone: Zone) -> Trace:
    """A new one, of an object that has not been seen before."""
    return Passage(zone) if zone.rule is ZoneRule.CROSS else ZonePresence(zone)
