"""Made worlds: labelled clips that anyone can make again, out of seeds and Debian's opencv-doc (Apache-2.0).

    python3 -m tests.rigs.worlds            make all of them and print their folder
    python3 -m tests.rigs.worlds NAME ...   only these

A world is a place (`places`), who moves through it (`actors` on `ways`), and what moves that is nobody (`weather`,
`snow`, `light`, `shade`, `bugs`, `webs`, `camera`, `burnt`, `losses`). `world` films it and knows when something real
moves; `folder` keeps the clips. `scene` is the place and weather of a world, for validation across scenes. They have no
colour.
"""
from tests.rigs.worlds.catalogue import FITTED, JUDGED, PEEK, WORLDS, scene
from tests.rigs.worlds.folder import worlds

__all__ = ["FITTED", "JUDGED", "PEEK", "WORLDS", "scene", "worlds"]
