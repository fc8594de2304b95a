"""All worlds by their names."""
from collections.abc import Callable

from tests.rigs.worlds import day, indoors, kinds, night, peek, street
from tests.rigs.worlds.world import World

_OF_THE_DETECTOR: dict[str, Callable[[], World]] = {
    **day.WORLDS, **night.WORLDS, **indoors.WORLDS, **peek.WORLDS, **street.JUDGED, **street.TUNING}
TUNING = tuple(street.TUNING)       # the detector was tuned on these; on all others of its own it is judged
JUDGED = tuple(name for name in _OF_THE_DETECTOR if name not in TUNING)
WORLDS: dict[str, Callable[[], World]] = {**_OF_THE_DETECTOR, **kinds.WORLDS}
WORDS_TUNING = (*TUNING, *kinds.TUNING)     # limits of words were chosen on these; on all others words are judged
WORDS_JUDGED = (*JUDGED, *kinds.JUDGED)
PEEK = tuple(peek.WORLDS)
