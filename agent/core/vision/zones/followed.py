"""The zones that a household draws into the picture, and what each object has done about each zone.

An object is known again after it was lost for a short time or got another number.

A box jitters by a pixel of the analysed picture, and by the parts of the object that differ from the background. So a
border counts as crossed only if the object clearly comes, by a margin, from its other side.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import hypot, inf
from typing import TYPE_CHECKING, NamedTuple

from agent.core.media.model import Box, Point
from agent.core.vision.zones.geometry import centre, crossings, foot, to_area, to_line

if TYPE_CHECKING:
    from agent.core.vision.motion.look import Look, SeenObject


class ZoneRule(Enum):
    WATCH = "watch"      # something moves in the area
    ENTER = "enter"      # something that was seen outside has come in
    DWELL = "dwell"      # something has stayed in the area for `dwell_s`
    CROSS = "cross"      # something has crossed the line


class Direction(Enum):
    """The side to which something must cross a line, as seen along it from its first point to its last."""

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


_MARGIN = 0.01              # of the picture, plus
_MARGIN_SIZES = 0.1         # this much of the object's longer side
_WANTED = {Direction.BOTH: (Direction.LEFT, Direction.RIGHT), Direction.LEFT: (Direction.LEFT,),
           Direction.RIGHT: (Direction.RIGHT,)}


def _margin(box: Box) -> float:
    return _MARGIN + _MARGIN_SIZES * max(box.w, box.h)


class ZonePresence:
    """An object and an area. It is inside once its foot or its centre is, until both are clearly outside."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._was_outside = False           # clearly, at some time
        self._came_in = False               # it came to its present place from outside
        self._since_mono_s = inf            # inside since; inf outside

    def see(self, box: Box, mono_s: float) -> bool:
        """Takes the object's place. Returns whether the zone is fulfilled."""
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
    """An object and a line that its foot may cross. A crossing holds until it goes back. The line is on the ground,
    where feet are; a person can walk around its ends."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._clear: Point | None = None        # last place of the foot clearly beside the line
        self._went: Direction | None = None     # side of its last crossing

    def see(self, box: Box, mono_s: float) -> bool:
        """Takes the object's place. Returns whether the zone is fulfilled."""
        at = foot(box)
        if to_line(at, self._zone.line) > _margin(box):
            over = 0 if self._clear is None else crossings(self._clear, at, self._zone.line)
            if over:
                self._went = Direction.LEFT if over > 0 else Direction.RIGHT
            self._clear = at
        return self._went in _WANTED[self._zone.direction]


Trace = ZonePresence | Passage


def trace(zone: Zone) -> Trace:
    return Passage(zone) if zone.rule is ZoneRule.CROSS else ZonePresence(zone)


class Counted(NamedTuple):
    """The objects that count in one look: with any of them, there is motion for the household."""

    objects: tuple["SeenObject", ...] = ()        # largest first
    zones: tuple[str, ...] = ()             # names of the zones that are fulfilled now, in the order of the settings


class Zones:
    """Applies zones to every look, in order. Without zones all motion counts."""

    def __init__(self, zones: Sequence[Zone] = ()) -> None:
        self._zones = tuple(zones)
        self._followed = Followed(self._zones)

    def step(self, look: "Look", mono_s: float) -> Counted:
        if not self._zones:
            return Counted(look.objects)
        objects, fulfilled = [], set()
        for seen, known in zip(look.objects, self._followed.follow(look, mono_s), strict=True):
            here = [n for n, trace in enumerate(known.traces) if trace.see(seen.box, mono_s)]
            fulfilled.update(here)
            if here:
                objects.append(seen)
        return Counted(tuple(objects), tuple(self._zones[n].name for n in sorted(fulfilled)))


FOUND_AGAIN_S = 1.0     # a new number near an object lost no longer ago than this is the same object
# a number that returns within this time is the same object, because the detector remembers objects that stopped
REMEMBERED_S = 30.0
KNOWN_MAX = 64          # limit of remembered objects


@dataclass(slots=True)
class KnownObject:
    box: Box                                # its latest place
    traces: list[Trace]                     # one for each zone
    seen_mono_s: float = 0.0
    lost_mono_s: float | None = None        # the first look without it; None while visible


class Followed:
    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = zones
        self._known: dict[int, KnownObject] = {}      # by number, the latest last

    def follow(self, look: "Look", mono_s: float) -> list[KnownObject]:
        """Returns the visible objects, in the order of the look's objects. A lamp that goes on blinds the detector for
        some seconds, so an object found near after that counts as not lost before."""
        in_sight = {seen.number for seen in look.objects}
        for number, known in list(self._known.items()):
            if mono_s - known.seen_mono_s > REMEMBERED_S:
                del self._known[number]
            elif number not in in_sight and (known.lost_mono_s is None or look.blind):
                known.lost_mono_s = mono_s
        return [self._find(seen, mono_s) for seen in look.objects]

    def _find(self, seen: "SeenObject", mono_s: float) -> KnownObject:
        number = seen.number if seen.number in self._known else self._lost_near(seen.box, mono_s)
        known = (KnownObject(seen.box, [trace(zone) for zone in self._zones]) if number is None
                 else self._known.pop(number))
        known.box, known.seen_mono_s, known.lost_mono_s = seen.box, mono_s, None
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[seen.number] = known
        return known

    def _lost_near(self, box: Box, mono_s: float) -> int | None:
        at, found, found_away = centre(box), None, max(box.w, box.h)
        for number, known in self._known.items():
            before = centre(known.box)
            away = hypot(at.x - before.x, at.y - before.y)
            if known.lost_mono_s is not None and mono_s - known.lost_mono_s <= FOUND_AGAIN_S and away <= found_away:
                found, found_away = number, away
        return found
