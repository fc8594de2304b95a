"""All worlds by their names."""
from collections.abc import Callable

from tests.rigs.worlds import day, indoors, night, peek
from tests.rigs.worlds.world import World

WORLDS: dict[str, Callable[[], World]] = {**day.WORLDS, **night.WORLDS, **indoors.WORLDS, **peek.WORLDS}
PEEK = tuple(peek.WORLDS)
