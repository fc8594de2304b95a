"""Who and what really moves: a look (pose -> sprite) on a way (second -> pose), put into the picture, and measured."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tests.rigs.worlds.cut import Sprite, walker
from tests.rigs.worlds.drawn import Clothes, Posture, bicycle, car, dog, motorbike, person
from tests.rigs.worlds.stage import WIDE_PX

PICTURES_A_STRIDE = 10          # of a cut walker, filmed at ten pictures a second
LEAN = 0.07                     # how far to the side the head goes at most, of the height
SHADOW_LEVEL = 0.3


class Pose(NamedTuple):
    """Where somebody's feet are (fractions of the picture), how tall they are there, and how they hold themselves."""

    x: float
    y: float
    tall: float
    faces: int = 1
    posture: Posture = Posture()


Look = Callable[[Posture], Sprite]
Way = Callable[[float], Pose | None]


class Patch(NamedTuple):
    """A piece of the picture: its corner, what is there and how much it covers, and what its shadow takes away."""

    x: int
    y: int
    grey: np.ndarray
    cover: np.ndarray
    shade: np.ndarray

    def put(self, picture: np.ndarray) -> None:
        """Paint it, in place."""
        tall, wide = self.grey.shape
        piece = picture[self.y:self.y + tall, self.x:self.x + wide]
        piece *= 1 - self.shade
        piece += self.cover * (self.grey - piece)


@dataclass(frozen=True)
class Actor:
    """Something real. `alive`: never quite still; other things count as the place's furniture a while after they stop.

    `gain` and `lift` fit its grey levels to the light. `hidden` is an outline, left to bottom, in which a wall or a
    door's frame hides it. `blur` is the exposure's share of the time between two pictures; at night it is longer.
    """

    look: Look
    way: Way
    alive: bool = True
    gain: float = 1.0
    lift: float = 0.0
    shadow: float = 0.0
    hidden: tuple[float, float, float, float] | None = None
    blur: float = 0.15

    def patch(self, t_s: float, shape: tuple[int, int]) -> Patch | None:
        """Its piece of a picture of this shape at this second; None if it is nowhere."""
        pose = self.way(t_s)
        if pose is None:
            return None
        tall, wide = shape
        sprite = _shrunk(self.look(pose.posture), pose.tall * tall)
        before = self.way(t_s - 0.1)
        speed_px = abs(pose.x - before.x) * wide if before else 0.0
        margin = int(3 + 0.1 * sprite.grey.shape[0] + speed_px)
        left = int(pose.x * wide - sprite.grey.shape[1] / 2) - margin
        top = int(pose.y * tall) - sprite.grey.shape[0] - 2
        box = _Box(max(0, left), max(0, top), min(wide, left + sprite.grey.shape[1] + 2 * margin),
                   min(tall, int(pose.y * tall) + 3 + round(0.15 * sprite.grey.shape[0])))
        if box.right - box.left < 2 or box.bottom - box.top < 2:
            return None
        return self._placed(sprite, pose, box, shape, speed_px)

    def _placed(self, sprite: Sprite, pose: Pose, box: "_Box", shape: tuple[int, int], speed_px: float) -> Patch:
        body = _into(sprite, pose, box, shape)
        if (smear_px := round(speed_px * self.blur)) > 1:
            body = Sprite(*(cv2.blur(half, (smear_px, 1)) for half in body))
        grey = self.gain * body.grey / np.maximum(body.cover, 0.02) + self.lift
        shade = np.zeros_like(grey)
        if self.shadow:
            shade = self._shade(sprite, pose, box, shape)
        if self.hidden:
            rows, columns = (slice(max(0, round(low * size) - corner), max(0, round(high * size) - corner))
                             for low, high, size, corner in zip(self.hidden[1::-1], self.hidden[3:1:-1], shape,
                                                                (box.top, box.left), strict=True))
            body.cover[rows, columns] = shade[rows, columns] = 0
        return Patch(box.left, box.top, grey, body.cover, shade)

    def _shade(self, sprite: Sprite, pose: Pose, box: "_Box", shape: tuple[int, int]) -> np.ndarray:
        flat = _into(sprite, pose, box, shape, flat=0.18, slant=self.shadow)
        return cv2.blur(flat.cover, (3, 3)) * SHADOW_LEVEL


class _Box(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


def _shrunk(sprite: Sprite, tall_px: float) -> Sprite:
    """Scaled to this height in whole pixels, grey levels weighed by their cover."""
    scale = max(2.0, tall_px) / sprite.grey.shape[0]
    size = max(2, round(sprite.grey.shape[1] * scale)), max(2, round(tall_px))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return Sprite(cv2.resize(sprite.grey * sprite.cover, size, interpolation=way),
                  cv2.resize(sprite.cover, size, interpolation=way))


def _into(sprite: Sprite, pose: Pose, box: _Box, shape: tuple[int, int], flat: float = 1.0,
          slant: float = 0.0) -> Sprite:
    """The sprite where it stands, to fractions of a pixel; flattened and slanted it is a shadow on the ground."""
    tall, wide = sprite.grey.shape
    lean = LEAN * pose.posture.lean + slant
    feet_x, feet_y = pose.x * shape[1] - box.left, pose.y * shape[0] - box.top
    move = np.array([[pose.faces, -lean, feet_x - pose.faces * (wide - 1) / 2 + lean * (tall - 1)],
                     [0, flat, feet_y - flat * (tall - 1)]], np.float32)
    size = box.right - box.left, box.bottom - box.top
    return Sprite(*(cv2.warpAffine(half, move, size, flags=cv2.INTER_LINEAR) for half in sprite))


class Measure(NamedTuple):
    """An actor in one picture, in pixels of one 320 wide: how many show, how many changed since; its box in its own."""

    shown_px: float
    changed_px: float
    box: list[int]


def measure(now: Patch, before: Patch | None, empty: np.ndarray, faint: float) -> Measure:
    """Compare with a while ago; differences up to `faint` grey levels do not show."""
    scale = (WIDE_PX / empty.shape[1]) ** 2
    patches = [patch for patch in (now, before) if patch]
    left, top = min(p.x for p in patches), min(p.y for p in patches)
    right, bottom = (max(p.x + p.grey.shape[1] for p in patches), max(p.y + p.grey.shape[0] for p in patches))
    window = np.s_[top:bottom, left:right]
    views = []
    for patch in (now, before):
        views.append(empty[window].copy())
        if patch:
            patch._replace(x=patch.x - left, y=patch.y - top, shade=np.zeros_like(patch.shade)).put(views[-1])
    shown = np.abs(views[0] - empty[window]) > faint
    changed = np.abs(views[0] - views[1]) > faint
    ys, xs = np.nonzero(now.cover > 0.5)
    box = [now.x + int(xs.min()), now.y + int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1] if len(xs) else []
    return Measure(float(shown.sum()) * scale, float(changed.sum()) * scale, box)


def cut(name: str) -> Look:
    """A walker out of vtest."""
    sprites = walker(name)
    return lambda posture: sprites[int(posture.step * PICTURES_A_STRIDE) % len(sprites)]


def folk(clothes: Clothes) -> Look:
    """A drawn person."""
    return lambda posture: person(posture, clothes)


def rider(clothes: Clothes, lights: float = 120) -> Look:
    """Somebody on a motorbike."""
    return lambda posture: motorbike(clothes, posture.step, lights=lights)


def left_motorbike(clothes: Clothes) -> Look:
    """A motorbike without its rider."""
    return lambda posture: motorbike(clothes, rider=False)


def cyclist(clothes: Clothes) -> Look:
    """Somebody on a bicycle."""
    return lambda posture: bicycle(clothes, posture.step)


def auto(level: float = 170, lights: float = 90) -> Look:
    """A car."""
    return lambda posture: car(level, lights)


def hound(level: float = 70) -> Look:
    """A dog."""
    return lambda posture: dog(level, posture.step)
