"""One world: a stage, who moves on it, what else happens; its pictures and, exactly, when something real moves."""
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tests.rigs.worlds.actors import Actor, Measure, Patch, measure
from tests.rigs.worlds.losses import Loss
from tests.rigs.worlds.stage import Paint, Stage

FPS = 10
AGO = 5                     # pictures back to which a change is measured
REAL_PX = 40                # at 320 wide: smaller things, and smaller changes, are usually nobody's business
REST_S = 5.0                # a thing that stands for longer is furniture

MOVES, QUIET, EITHER = 1, 0, -1


@dataclass
class World:
    """What a clip shows. `scene` paints behind the actors, `over` on top of them: light, then lens, then sensor.

    `faint` is the difference in grey levels that does not show, `real_px` the size at which a thing counts; `skips`
    are (second, seconds lost): the camera's pictures of that time never came. Video has limited range (black is 16,
    white 235) unless it has `full_range`.
    """

    stage: Stage
    tags: str
    seconds: int = 45
    actors: Sequence[Actor] = ()
    scene: Sequence[Paint] = ()
    over: Sequence[Paint] = ()
    losses: Sequence[Loss] = ()
    skips: Sequence[tuple[float, float]] = ()
    faint: float = 8.0
    kbps: int = 330
    real_px: float = REAL_PX
    full_range: bool = False


class Shown(NamedTuple):
    """One picture (uint8), its label and the boxes of what moves."""

    picture: np.ndarray
    label: int
    boxes: list[list[int]]


@dataclass
class _Watched:
    """An actor with its latest patches, to see whether it moves."""

    actor: Actor
    patches: deque[Patch | None] = field(default_factory=lambda: deque(maxlen=AGO + 1))
    rested_n: int = 0

    def step(self, t_s: float, empty: np.ndarray, faint: float) -> Measure | None:
        self.patches.append(self.actor.patch(t_s, empty.shape))
        if self.patches[-1] is None:
            return None
        seen = measure(self.patches[-1], self.patches[0], empty, faint)
        self.rested_n = self.rested_n + 1 if seen.changed_px < 1 else 0
        return seen

    def label(self, seen: Measure | None, real_px: float) -> int:
        if seen is None or seen.shown_px < 1:
            return QUIET
        if seen.shown_px >= real_px and seen.changed_px >= real_px and seen.box:
            return MOVES
        return EITHER if self.actor.alive or self.rested_n < REST_S * FPS else QUIET


def shown(world: World) -> Iterator[Shown]:
    """The world's pictures, at FPS."""
    watched, last = [_Watched(actor) for actor in world.actors], None
    empty = world.stage.place.picture
    for number in range(world.seconds * FPS):
        film_s = number / FPS
        t_s = film_s + sum(lost_s for at_s, lost_s in world.skips if film_s >= at_s)
        seen = [one.step(t_s, empty, world.faint) for one in watched]
        labels = [one.label(what, world.real_px) for one, what in zip(watched, seen, strict=True)]
        boxes = [what.box for label, what in zip(labels, seen, strict=True) if label == MOVES]
        clean = np.clip(_painted(world, watched, t_s), 0, 255).astype(np.uint8)
        picture = clean
        for loss in world.losses:
            picture = loss(picture, last, film_s)
        stands = picture is last
        label = MOVES if boxes and not stands else EITHER if boxes or EITHER in labels else QUIET
        last = picture
        yield Shown(picture, label, boxes if label == MOVES else [])


def _painted(world: World, watched: list[_Watched], t_s: float) -> np.ndarray:
    picture = world.stage.place.picture.copy()
    for paint in world.scene:
        picture = paint(picture, t_s)
    for patch in (one.patches[-1] for one in watched):
        if patch:
            patch.put(picture)
    for paint in world.over:
        picture = paint(picture, t_s)
    return picture
