"""Small seeded scenes for motion tests: a textured yard as luma pictures, with what may happen in front of a camera.

A scene is a list of happenings, applied in order to each picture: things first, then light, then the camera's own
faults. Each is a function (picture, t_s, rng) -> picture on float32 grey levels; all lengths are pixels of the picture.
"""
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import cos, pi, sin, sqrt
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.luma import Luma

WIDTH, HEIGHT = 320, 180
START_MONO_S = 500.0
# Drawn once: that took more time than all else in the tests of vision.
GRAIN = np.random.default_rng(0).standard_normal((2 * HEIGHT, 2 * WIDTH), np.float32)

Happening = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


class Walk(NamedTuple):
    """A person who walks to the right from `start_s` on, feet at (`x`, `y`) when they start.

    They stand still from `rest_s` on, but for swaying by `sway_px` or moving their head by `nod_px`, and are gone from
    `stop_s` on.
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
    nod_px: float = 0.0

    def middle_x(self, t_s: float) -> float:
        """Where they are at `t_s`."""
        return self.x + self.px_per_s * (min(t_s, self.rest_s) - self.start_s) + self._rocking(t_s, self.sway_px)

    def centre(self, t_s: float) -> tuple[float, float]:
        """Where the middle of the body is at `t_s`, fractions of the picture."""
        return self.middle_x(t_s) / WIDTH, (self.y - self.tall / 2) / HEIGHT

    def __call__(self, picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        """Paint the person: a head, a body and two swinging legs."""
        if not self.start_s <= t_s < self.stop_s:
            return picture
        x, s = self.middle_x(t_s), self.tall
        swing = 0.16 * s * sin(2 * pi * 1.8 * min(t_s, self.rest_s))
        head = x + self._rocking(t_s, self.nod_px)
        _disc(picture, (head, self.y - 0.9 * s), (0.09 * s, 0.1 * s), self.level + 60)
        _disc(picture, (x, self.y - 0.6 * s), (0.15 * s, 0.25 * s), self.level)
        for way in (swing, -swing):
            hip, foot = self.y - 0.4 * s, x + way
            leg = [(x - 0.06 * s, hip), (x + 0.06 * s, hip), (foot + 0.05 * s, self.y), (foot - 0.05 * s, self.y)]
            _fill(picture, leg, self.level - 15)
        return picture

    def _rocking(self, t_s: float, px: float) -> float:
        return px * sin(2 * pi * 0.4 * t_s) if t_s > self.rest_s else 0.0


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _fill(picture: np.ndarray, corners: Sequence[tuple[float, float]], level: float) -> None:
    cv2.fillPoly(picture, [np.rint(np.asarray(corners)).astype(np.int32)], float(level))


def _disc(picture: np.ndarray, middle: tuple[float, float], radii: tuple[float, float], level: float) -> None:
    cv2.ellipse(picture, _at(*middle), _at(*radii), 0, 0, 360, float(level), -1)


def _car(picture: np.ndarray, x: float, level: float) -> None:
    body = [(0, 135), (56, 135), (56, 118), (44, 106), (14, 106), (0, 118)]
    window = [(16, 117), (42, 117), (40, 109), (18, 109)]
    for outline, shade in ((body, level), (window, 40)):
        _fill(picture, [(x + right, down) for right, down in outline], shade)


def car(start_s: float, stop_s: float, x: float = -60.0, px_per_s: float = 60.0, level: float = 185.0) -> Happening:
    """A car that drives in and stays where it is at `stop_s`."""

    def paint(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s >= start_s:
            _car(picture, x + px_per_s * (min(t_s, stop_s) - start_s), level)
        return picture

    return paint


def departing_car(start_s: float, x: float = 120.0, px_per_s: float = 60.0, level: float = 185.0) -> Happening:
    """A car that has always been there and drives off to the right."""

    def paint(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        _car(picture, x + px_per_s * max(0.0, t_s - start_s), level)
        return picture

    return paint


def motorbike(start_s: float, long: float = 34.0, lengths_per_s: float = 6.0, level: float = 35.0) -> Happening:
    """A motorbike with its rider crosses to the right, `lengths_per_s` times its own length in a second."""

    def paint(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s >= start_s:
            x, y = lengths_per_s * long * (t_s - start_s) - long / 2, 150.0
            for wheel in (-0.36, 0.36):
                _disc(picture, (x + wheel * long, y - 0.15 * long), (0.15 * long, 0.15 * long), level)
            _fill(picture, [(x + right * long, y - up * long) for right, up in (
                (-0.4, 0.2), (0.38, 0.2), (0.3, 0.5), (0.12, 0.55), (0.05, 0.95), (-0.16, 0.95), (-0.25, 0.45))], level)
            _disc(picture, (x, y - 1.02 * long), (0.11 * long, 0.11 * long), level + 20)
        return picture

    return paint


def noise(deviation: float) -> Happening:
    """The sensor's noise, in grey levels: another cut of the grain for each picture."""

    def grain(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        down, right = rng.integers((HEIGHT, WIDTH))
        return picture + np.float32(deviation) * GRAIN[down:down + HEIGHT, right:right + WIDTH]

    return grain


def exposure_step(at_s: float, gain: float) -> Happening:
    """The camera's exposure jumps once."""
    return lambda picture, t_s, rng: picture * np.float32(gain) if t_s >= at_s else picture


def hunting(from_s: float, depth: float = 0.15, period_s: float = 2.5) -> Happening:
    """The camera's exposure swings to and fro without end."""

    def swing(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        return picture * (1 + depth * sin(2 * pi * max(0.0, t_s - from_s) / period_s))

    return swing


def infrared(at_s: float, back_s: float = 1e9, over_s: float = 0.7) -> Happening:
    """The camera goes over to infrared within `over_s`, and back from `back_s` on: leaves shine, paints change."""
    down, right = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    spot = 0.3 + 0.6 * np.exp(-((right - WIDTH / 2) / 130) ** 2 - ((down - HEIGHT / 2) / 80) ** 2)
    paints = cv2.resize(np.random.default_rng(7).uniform(0.5, 1.5, (15, 27)), (WIDTH, HEIGHT)).astype(np.float32)

    def switch(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        night = min(max((t_s - at_s) / over_s, 0.0), 1.0) - min(max((t_s - back_s) / over_s, 0.0), 1.0)
        lit = np.where(right < 95, 240 - picture, picture * paints) * spot
        return picture + np.float32(night) * (lit - picture)

    return switch


def lamp(at_s: float, off_s: float = 1e9, light: float = 1.3) -> Happening:
    """A lamp on the right goes on and off: that side is `light` times brighter, and the windows throw shadows."""

    def shine(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if not at_s <= t_s < off_s:
            return picture
        lit = picture * (1 + light * np.linspace(0, 1, WIDTH, dtype=np.float32) ** 2)
        lit[100:140, 180:260] *= 0.5
        return lit

    return shine


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


def crawler(start_s: float, px_per_s: float = 14.0, radius: float = 13.0, level: float = 80.0) -> Happening:
    """An insect crawls over the lens' pane: a bright disc far out of focus, as slow as a walker."""

    def crawl(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s < start_s:
            return picture
        way = px_per_s * (t_s - start_s)
        spot = np.zeros_like(picture)
        _disc(spot, (90 + way, 80 + 12 * sin(way / 20)), (radius, radius), level)
        return picture + cv2.GaussianBlur(spot, (0, 0), radius / 2)

    return crawl


def moths(start_s: float = 0.0, moths_n: int = 3, x: float = 200.0, y: float = 60.0) -> Happening:
    """Moths around a lamp at (`x`, `y`): small bright spots in focus that circle and turn about."""

    def circle(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        for k in range(moths_n if t_s >= start_s else 0):
            turn = (3.1 + 0.8 * k) * t_s + 1.5 * sin(4.3 * t_s + 2 * k)
            far = 22 + 12 * sin(2.7 * t_s + k)
            _disc(picture, (x + far * cos(turn), y + 0.6 * far * sin(1.3 * turn)), (3, 2), 230.0)
        return picture

    return circle


def laundry(sheets_n: int = 4, px: float = 5.0) -> Happening:
    """Sheets on a line that swing in the wind, each in its own time."""

    def swing(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        for k in range(sheets_n):
            left, push = 120 + 34 * k, px * sin(2 * pi * (0.5 + 0.07 * k) * t_s + 1.9 * k)
            sheet = [(left, 62), (left + 26, 62), (left + 26 + push, 112), (left + push, 112)]
            _fill(picture, sheet, 190 + 10 * (k % 2))
        return picture

    return swing


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


def gain_noise(gain: Callable[[float], float], deviation: float = 1.0) -> Happening:
    """The sensor's noise by light: `deviation` grey levels at gain 1, and as its root at the camera's `gain` of t_s."""
    return lambda picture, t_s, rng: noise(deviation * sqrt(gain(t_s)))(picture, t_s, rng)


def keyframes(every_s: float = 2.0, blur_px: float = 1.2) -> Happening:
    """Compression: the picture softens until the next keyframe, with which it snaps back."""

    def soften(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        soft = cv2.GaussianBlur(picture, (0, 0), blur_px)
        return picture + np.float32(t_s % every_s / every_s) * (soft - picture)

    return soften


def grey(at_s: float, back_s: float = 0.6) -> Happening:
    """Packets are lost: a grey picture that the scene comes through again within `back_s`."""

    def lose(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        left = 1 - (t_s - at_s) / back_s
        return picture + np.float32(left) * (128 - picture) if 0 < left <= 1 else picture

    return lose


def frozen(from_s: float, until_s: float) -> Happening:
    """The camera hangs: it repeats what it showed at `from_s`."""
    kept: np.ndarray | None = None

    def hang(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        nonlocal kept
        if not from_s <= t_s < until_s:
            kept = None
            return picture
        kept = picture if kept is None else kept
        return kept

    return hang


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
    return film((i / fps for i in range(round(seconds * fps))), *happenings, seed=seed, light=light)


def film(times_s: Iterable[float], *happenings: Happening, seed: int = 1, light: float = 1.0,
         gain: Callable[[float], float | None] = lambda t_s: None) -> Iterator[Luma]:
    """The same taken at any times, in seconds after START_MONO_S; `gain` is what the camera tells of its own."""
    empty, rng = yard(seed), np.random.default_rng(seed)
    for t_s in times_s:
        picture = empty.copy()
        for happening in happenings:
            picture = happening(picture, t_s, rng)
        yield Luma(np.clip(picture * light, 0, 255).astype(np.uint8), START_MONO_S + t_s, gain=gain(t_s))
