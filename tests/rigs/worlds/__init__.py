"""Made worlds: labelled clips that anyone can make again, out of seeds and Debian's opencv-doc (Apache-2.0).

    python3 -m tests.rigs.worlds            make all of them and print their folder
    python3 -m tests.rigs.worlds NAME ...   only these

A world is a place (`places`), who moves through it (`actors` on `ways`), and what moves that is nobody (`weather`,
`light`, `bugs`, `camera`, `losses`). `world` films it and knows when something real moves; `folder` keeps the clips.
They have other scenes than any set that the detector was tuned on, and no colour.
"""
from tests.rigs.worlds.catalogue import JUDGED, PEEK, TUNING, WORLDS
from tests.rigs.worlds.folder import worlds

__all__ = ["JUDGED", "PEEK", "TUNING", "WORLDS", "worlds"]
