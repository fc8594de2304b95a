"""Small seeded scenes for motion tests: a textured yard as luma pictures, with what may happen in front of a camera.

A scene is a list of happenings, applied in order to each picture: things first, then light, then the camera's own
faults. Each is a function (picture, t_s, rng) -> picture on float32 grey levels; all lengths are pixels of the picture.
"""
from collections.abc import Callable, Iterator, Sequence
from math import pi, sin
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.model import Luma

WIDTH, HEIGHT = 320, 180
START_MONO_S = 500.0

Happening = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


class Walk(NamedTuple):
    """A person who walks to the right from `start_s` on, feet at (`x`, `y`) when they start.

    They stand still from `rest_s` on, but for swaying by `sway_px`, and are gone from `stop_s` on.
    """

    start_s: float
    x: float = 40.0
    y: float = 150.0
    px_per_s: float = 28.0
    tall: float = 44.0
    level: float = 45.0
    rest_s: float = 1e9
    stop_s: float = 1e9
    sway_px: float = 0.0

    def middle_x(self, t_s: float) -> float:
        """Where they are at `t_s`."""
        sway = self.sway_px * sin(2 * pi * 0.4 * t_s) if t_s > self.rest_s else 0.0
        return self.x + self.px_per_s * (min(t_s, self.rest_s) - self.start_s) + sway

    def centre(self, t_s: float) -> tuple[float, float]:
        """Where the middle of the body is at `t_s`, fractions of the picture."""
        return self.middle_x(t_s) / WIDTH, (self.y - self.tall / 2) / HEIGHT

    def __call__(self, picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        """Paint the person: a head, a body and two swinging legs."""
        if not self.start_s <= t_s < self.stop_s:
            return picture
        x, s = self.middle_x(t_s), self.tall
        swing = 0.16 * s * sin(2 * pi * 1.8 * min(t_s, self.rest_s))
        _disc(picture, (x, self.y - 0.9 * s), (0.09 * s, 0.1 * s), self.level + 60)
        _disc(picture, (x, self.y - 0.6 * s), (0.15 * s, 0.25 * s), self.level)
        for way in (swing, -swing):
            hip, foot = self.y - 0.4 * s, x + way
            leg = [(x - 0.06 * s, hip), (x + 0.06 * s, hip), (foot + 0.05 * s, self.y), (foot - 0.05 * s, self.y)]
            _fill(picture, leg, self.level - 15)
        return picture


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _fill(picture: np.ndarray, corners: Sequence[tuple[float, float]], level: float) -> None:
    cv2.fillPoly(picture, [np.rint(np.asarray(corners)).astype(np.int32)], float(level))


def _disc(picture: np.ndarray, middle: tuple[float, float], radii: tuple[float, float], level: float) -> None:
    cv2.ellipse(picture, _at(*middle), _at(*radii), 0, 0, 360, float(level), -1)


def car(start_s: float, stop_s: float, x: float = -60.0, px_per_s: float = 60.0, level: float = 185.0) -> Happening:
    """A car that drives in and stays where it is at `stop_s`."""

    def paint(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s >= start_s:
            at = x + px_per_s * (min(t_s, stop_s) - start_s)
            body = [(0, 135), (56, 135), (56, 118), (44, 106), (14, 106), (0, 118)]
            window = [(16, 117), (42, 117), (40, 109), (18, 109)]
            for outline, shade in ((body, level), (window, 40)):
                _fill(picture, [(at + right, down) for right, down in outline], shade)
        return picture

    return paint


def noise(deviation: float) -> Happening:
    """The sensor's noise, in grey levels."""
    return lambda picture, t_s, rng: picture + rng.normal(0, deviation, picture.shape).astype(np.float32)


def exposure_step(at_s: float, gain: float) -> Happening:
    """The camera's exposure jumps once."""
    return lambda picture, t_s, rng: picture * np.float32(gain) if t_s >= at_s else picture


def clouds(depth: float = 0.4, px_per_s: float = 30.0) -> Happening:
    """Soft shadows that drift over the whole scene."""

    def shade(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        x = np.arange(WIDTH, dtype=np.float32) - px_per_s * t_s
        y = np.arange(HEIGHT, dtype=np.float32)[:, None]
        return picture * (1 - depth * (0.5 + 0.5 * np.sin(x / 50 + y / 90) * np.sin(x / 83 + 1)))

    return shade


def gusts(px: float = 2.5) -> Happening:
    """Wind in the hedge on the left: its texture sways, each part in its own time."""

    def sway(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        push = px * np.sin(2 * pi * 0.9 * t_s + y / 9) * (0.6 + 0.4 * sin(0.7 * t_s)) * (x < 100)
        return cv2.remap(picture, (x + push).astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    return sway


def rain(streaks_n: int = 40) -> Happening:
    """Bright streaks, each in one picture only."""

    def fall(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        for x, y, far in rng.integers((0, 0, 8), (WIDTH, HEIGHT, 22), (streaks_n, 3)):
            picture[y:y + far, x] += 45
        return picture

    return fall


def insects(insects_n: int = 3) -> Happening:
    """Blurred bright spots that dart about near the lens."""

    def dart(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        for k in range(insects_n):
            x = WIDTH * (0.5 + 0.45 * sin(2.3 * t_s + 2.1 * k) * sin(0.9 * t_s + k))
            y = HEIGHT * (0.5 + 0.45 * sin(3.1 * t_s + 1.3 * k))
            spot = np.zeros_like(picture)
            cv2.circle(spot, _at(x, y), 5, 90.0, -1, lineType=cv2.LINE_AA)
            picture = picture + cv2.GaussianBlur(spot, (0, 0), 2)
        return picture

    return dart


def headlights(at_s: float, px_per_s: float = 90.0) -> Happening:
    """A soft cone of light sweeps over the scene; nothing else does."""

    def sweep(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        x = np.arange(WIDTH, dtype=np.float32) - px_per_s * (t_s - at_s) + 80
        y = np.arange(HEIGHT, dtype=np.float32)[:, None]
        return picture * (1 + 1.2 * np.exp(-(x / 45) ** 2) * np.exp(-((y - 120) / 50) ** 2))

    return sweep


def shake(px: float = 1.5) -> Happening:
    """Wind at the camera's pole: the whole picture wobbles."""

    def wobble(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        dx, dy = rng.uniform(-px, px, 2)
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        return cv2.warpAffine(picture, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)

    return wobble


def yard(seed: int) -> np.ndarray:
    """The empty scene: wall, ground, a door, windows and a leafy hedge; float32 grey levels."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH), 120, np.float32)
    picture[95:] = 95
    for x in range(120, WIDTH, 50):
        cv2.rectangle(picture, (x, 25), (x + 18, 55), float(rng.uniform(40, 80)), -1)
    cv2.rectangle(picture, (220, 50), (240, 95), 70.0, -1)
    coarse = cv2.resize(rng.normal(0, 1, (23, 40)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
    leaves = np.where(np.arange(WIDTH) < 95, 70.0, 12.0).astype(np.float32)
    return picture + 6 * coarse + leaves * fine


def pictures(seconds: float, fps: float, *happenings: Happening, seed: int = 1, light: float = 1.0) -> Iterator[Luma]:
    """The scene as uint8 luma pictures at `fps`, from START_MONO_S on; `light` scales its brightness.

    The same seed gives the same pictures.
    """
    empty, rng = yard(seed), np.random.default_rng(seed)
    for i in range(round(seconds * fps)):
        picture = empty.copy()
        for happening in happenings:
            picture = happening(picture, i / fps, rng)
        yield Luma(np.clip(picture * light, 0, 255).astype(np.uint8), START_MONO_S + i / fps)
