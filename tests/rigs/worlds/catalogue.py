"""All worlds by their names."""
from collections.abc import Callable

from tests.rigs.worlds import day, indoors, night, peek, street
from tests.rigs.worlds.world import World

TUNING = tuple(street.TUNING)       # the detector was tuned on these; on all others it is judged
WORLDS: dict[str, Callable[[], World]] = {
    **day.WORLDS, **night.WORLDS, **indoors.WORLDS, **peek.WORLDS, **street.JUDGED, **street.TUNING}
JUDGED = tuple(name for name in WORLDS if name not in TUNING)
PEEK = tuple(peek.WORLDS)
