"""All worlds by their names."""
from collections.abc import Callable

from tests.rigs.worlds import approach, day, indoors, kinds, lamplit, night, peek, street, sunlit, winter
from tests.rigs.worlds.world import World

_THEMES = winter, lamplit, sunlit, approach
_EARLIER: dict[str, Callable[[], World]] = {
    **day.WORLDS, **night.WORLDS, **indoors.WORLDS, **peek.WORLDS, **street.JUDGED, **street.TUNING}
_LATER = tuple(name for theme in _THEMES for name in theme.FITTED)
FITTED = (*_EARLIER, *_LATER)       # the detector's weights are fitted to these; on the others it is only judged
JUDGED = tuple(name for theme in _THEMES for name in theme.JUDGED)
WORLDS: dict[str, Callable[[], World]] = {
    **_EARLIER, **{name: make for theme in _THEMES for name, make in {**theme.FITTED, **theme.JUDGED}.items()},
    **kinds.WORLDS}
WORDS_TUNING = (*street.TUNING, *_LATER, *kinds.TUNING)     # limits of words were chosen on these; on others
WORDS_JUDGED = (*(name for name in _EARLIER if name not in street.TUNING), *JUDGED, *kinds.JUDGED)   # they are judged
PEEK = tuple(peek.WORLDS)


def scene(name: str) -> str:
    """Place and weather, which a world's name begins with: worlds of one scene are never on both sides of a fit."""
    return "_".join(name.removeprefix("tune_").removeprefix("peek_").split("_")[:2])
