"""The verdict on a track: how likely it is an object, from all that is known of it.

It is a logistic model. Each measure is compared with its usual value and has two weights, one below and one above it.
`weights.py` comes from `scripts/bench motion --fit`, which fits them to labelled clips and made worlds.
"""
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from agent.core.vision.motion.crowd import Crowd
from agent.core.vision.motion.weights import WEIGHTS

# What a verdict rests on. Of the track: its sights, age, seconds in sight over age, net way in sizes and over all its
# way, overlap, own sizes a second, seconds since it last moved. Of its patch: area, share that differs from a moment
# ago, crispness, height in grey levels, whether it is brighter or darker than its place, by how much brighter, tall or
# wide. Of the best line through it: straightness, steps. Of the scene: restlessness of the place, unexplained patches,
# how different it is from what passes here, and how often something like it passes.
MEASURES: tuple[str, ...] = (
    "sights", "age", "unbroken", "net", "straight", "overlap", "pace", "rest", "area", "moving", "crispness", "height",
    "sign", "glow", "upright", "line_straight", "line_steps", "unrest", "clutter", "odd", "like")

_USUAL_MAX = 4.0            # spreads from the usual value beyond which a measure tells no more
_LIKE_MIN_PER_S = 0.05      # what passes more rarely than this never passes
_EYE_LEVELS = 6.0           # levels of grey that hardly show in the dark


class Surroundings(NamedTuple):
    """The picture in which a verdict is asked for. `clutter` is the number of unexplained patches in a picture."""

    crowd: Crowd
    clutter: float
    picture_px: int
    now_s: float
    dt_s: float             # since the picture before


def measured(t: np.ndarray, blobs: np.ndarray, sights: np.ndarray, ways: np.ndarray, unrest: Sequence[float],
             scene: Surroundings) -> np.ndarray:
    """Returns the measures, shape (n, len(MEASURES)), of n tracks in sight (TRACK), their patches (BLOB), what those
    look like (SIGHT), and their lines (WAY). `unrest` is 1 plus the restlessness of each place."""
    age_s = scene.now_s - t["born_s"]
    net = np.hypot(*(t["at"] - t["first"]).T)
    wide, tall = (blobs["box"][:, 2:] - blobs["box"][:, :2]).T
    odd, level = scene.crowd.oddness(t), sights["level"]
    bright = np.where(sights["sign"] > 0, (level + sights["height"]) / (level + _EYE_LEVELS), 1.0)
    logs = np.log(np.array((
        t["sights"], (t["path"] + 0.5) / (age_s + 0.1) / (t["size"] + 1), t["area"] / scene.picture_px,
        sights["height"] + 1, bright, tall / wide, ways["steps"] + 1, unrest, age_s + 0.1,
        (net + 0.5) / (t["size"] + 1), scene.crowd.rate_per_s * np.exp(-odd ** 2 / 2) + _LIKE_MIN_PER_S)))
    sighted, pace, area, height, glow, upright, steps, restless, age, way, like = logs
    return np.array((
        sighted, age, t["unbroken_s"] / (age_s + scene.dt_s), way, net / (t["path"] + 0.5), t["overlap"], pace,
        scene.now_s - t["moved_s"], area, blobs["moving"] / blobs["area"], t["crispness"], height, sights["sign"],
        glow, upright, ways["straight"], steps, restless, np.full(len(t), np.log1p(scene.clutter)), odd, like)).T


class Verdict:
    def __init__(self, document: Mapping[str, Sequence[float]]) -> None:
        """`document` has for each measure its usual value, spread, weight, and what is added to that above the usual
        value; and the `bias`. Raises KeyError for a missing one."""
        self._usual, self._spread, self._weight, self._above = np.array([document[name] for name in MEASURES]).T
        self._bias, = document["bias"]

    @classmethod
    @cache
    def fitted(cls) -> "Verdict":
        """The one that recorders use."""
        return cls(WEIGHTS)

    def odds(self, measures: np.ndarray) -> np.ndarray:
        """Returns the log odds that each is an object, for measures of shape (n, len(MEASURES))."""
        off = np.clip((measures - self._usual) / self._spread, -_USUAL_MAX, _USUAL_MAX)
        return off @ self._weight + np.maximum(off, 0.0) @ self._above + self._bias
