"""All worlds by their names."""
from collections.abc import Callable

from tests.rigs.worlds import approach, day, indoors, kinds, lamplit, night, peek, street, sunlit, winter
from tests.rigs.worlds.world import World

_THEMES = winter, lamplit, sunlit, approach
_OF_THE_DETECTOR: dict[str, Callable[[], World]] = {
    **day.WORLDS, **night.WORLDS, **indoors.WORLDS, **peek.WORLDS, **street.JUDGED, **street.TUNING,
    **{name: make for theme in _THEMES for name, make in {**theme.FITTED, **theme.JUDGED}.items()}}
TUNING = tuple(street.TUNING)       # the detector was tuned on these by hand
FITTED = tuple(name for theme in _THEMES for name in theme.FITTED)      # its weights may be fitted on these
JUDGED = tuple(name for name in _OF_THE_DETECTOR if name not in (*TUNING, *FITTED))     # on these it is judged
WORLDS: dict[str, Callable[[], World]] = {**_OF_THE_DETECTOR, **kinds.WORLDS}
WORDS_TUNING = (*TUNING, *FITTED, *kinds.TUNING)    # limits of words were chosen on these; on others words are judged
WORDS_JUDGED = (*JUDGED, *kinds.JUDGED)
PEEK = tuple(peek.WORLDS)


def scene(name: str) -> str:
    """Place and weather, which a world's name begins with: worlds of one scene are never on both sides of a fit."""
    return "_".join(name.removeprefix("tune_").removeprefix("peek_").split("_")[:2])
