"""One camera's zones: which objects fulfil which of them, from one look of the detector to the next."""
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agent.core.zones.followed import Followed
from agent.core.zones.zone import Zone

if TYPE_CHECKING:       # the detector's room loads OpenCV
    from agent.core.motion.look import Look, Seen


class Counted(NamedTuple):
    """What counts in one look: there is motion, as far as the household cares, if an object does."""

    objects: tuple["Seen", ...] = ()        # largest first
    zones: tuple[str, ...] = ()             # names of those that are fulfilled now, in the order of the settings


class Zones:
    """Give it every look, in order. Without any zone, all that moves counts."""

    def __init__(self, zones: Sequence[Zone] = ()) -> None:
        self._zones = tuple(zones)
        self._followed = Followed(self._zones)

    def step(self, look: "Look", mono_s: float) -> Counted:
        """What of a look counts."""
        if not self._zones:
            return Counted(look.objects)
        objects, fulfilled = [], set()
        for seen, known in zip(look.objects, self._followed.take(look, mono_s), strict=True):
            here = [n for n, trace in enumerate(known.traces) if trace.see(seen.box, mono_s)]
            fulfilled.update(here)
            if here:
                objects.append(seen)
        return Counted(tuple(objects), tuple(self._zones[n].name for n in sorted(fulfilled)))
