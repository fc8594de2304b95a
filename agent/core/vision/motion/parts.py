"""What is known of a confirmed object in one picture."""
from typing import NamedTuple

import numpy as np

from agent.core.vision.motion.rect import Edges


class Part(NamedTuple):
    """The known part of an object, and its speed."""

    number: int
    edges: Edges
    speed_px_per_s: float


def parts(tracks: np.ndarray) -> list[Part]:
    """Returns the tracks (TRACK) in their order."""
    speed = np.hypot(*tracks["speed"].T).tolist()
    return [Part(int(number), Edges(*sides), fast)
            for number, sides, fast in zip(tracks["number"].tolist(), tracks["box"].tolist(), speed, strict=True)]
