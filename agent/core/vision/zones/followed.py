"""Which object is which: what an object has done stays with it through short losses of sight and another number."""
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, NamedTuple

from agent.core.media.model import Box
from agent.core.vision.zones.geometry import centre
from agent.core.vision.zones.traces import Trace, trace
from agent.core.vision.zones.zone import Zone

if TYPE_CHECKING:
    from agent.core.vision.motion.look import Look, SeenObject


class Counted(NamedTuple):
    """The objects that count in one look: with one of them, there is motion for the household."""

    objects: tuple["SeenObject", ...] = ()        # largest first
    zones: tuple[str, ...] = ()             # names of those that are fulfilled now, in the order of the settings


class Zones:
    """Give it every look, in order. Without any zone, all that moves counts."""

    def __init__(self, zones: Sequence[Zone] = ()) -> None:
        self._zones = tuple(zones)
        self._followed = Followed(self._zones)

    def step(self, look: "Look", mono_s: float) -> Counted:
        """Choose what of a look counts."""
        if not self._zones:
            return Counted(look.objects)
        objects, fulfilled = [], set()
        for seen, known in zip(look.objects, self._followed.follow(look, mono_s), strict=True):
            here = [n for n, trace in enumerate(known.traces) if trace.see(seen.box, mono_s)]
            fulfilled.update(here)
            if here:
                objects.append(seen)
        return Counted(tuple(objects), tuple(self._zones[n].name for n in sorted(fulfilled)))


FOUND_AGAIN_S = 1.0     # a new number near where somebody was lost no longer ago than this is the same object
REMEMBERED_S = 30.0     # a number that comes back this late is the same object: the detector remembers what stopped
KNOWN_MAX = 64          # remembered at a time


@dataclass(slots=True)
class KnownObject:
    """One object, in sight or lost."""

    box: Box                                # where it was last
    traces: list[Trace]                     # one for each zone
    seen_mono_s: float = 0.0
    lost_mono_s: float | None = None        # the first look that should have shown it and did not; None while in sight


class Followed:
    """The objects of one camera."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = zones
        self._known: dict[int, KnownObject] = {}      # by number; the one in sight last comes last

    def follow(self, look: "Look", mono_s: float) -> list[KnownObject]:
        """Those that are in sight now, in the order of the look's objects.

        A lamp that goes on blinds the detector for some seconds; an object found near after that was not lost before.
        """
        in_sight = {seen.number for seen in look.objects}
        for number, known in list(self._known.items()):
            if mono_s - known.seen_mono_s > REMEMBERED_S:
                del self._known[number]
            elif number not in in_sight and (known.lost_mono_s is None or look.blind):
                known.lost_mono_s = mono_s
        return [self._find(seen, mono_s) for seen in look.objects]

    def _find(self, seen: "SeenObject", mono_s: float) -> KnownObject:
        number = seen.number if seen.number in self._known else self._lost_near(seen.box, mono_s)
        known = (KnownObject(seen.box, [trace(each) for each in self._zones]) if number is None
                 else self._known.pop(number))
        known.box, known.seen_mono_s, known.lost_mono_s = seen.box, mono_s, None
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[seen.number] = known
        return known

    def _lost_near(self, box: Box, mono_s: float) -> int | None:
        """The number of the nearest object that was just lost no further away than it is long; None without one."""
        at, found, found_away = centre(box), None, max(box.w, box.h)
        for number, known in self._known.items():
            before = centre(known.box)
            away = hypot(at.x - before.x, at.y - before.y)
            if known.lost_mono_s is not None and mono_s - known.lost_mono_s <= FOUND_AGAIN_S and away <= found_away:
                found, found_away = number, away
        return found
