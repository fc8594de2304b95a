"""Insects before the lens, on it and round the lamp, and the spider's thread: what cameras at night see most."""
from collections.abc import Callable
from math import cos, hypot, pi, sin
from typing import NamedTuple

import cv2
import numpy as np

from tests.rigs.worlds.stage import Paint, Stage

Spot = tuple[float, float]
EXPOSURE_S = 0.04           # at night; what moves is smeared over it


class Flight(NamedTuple):
    """One insect: when it is there, where it starts, how it flies, its radius and how bright it is."""

    start_s: float
    seconds: float
    spot: Spot
    heading: float
    px_per_s: float
    curl: float
    radius_px: float
    level: float

    def at(self, t_s: float) -> Spot:
        """Where it is, in pixels at 320 wide."""
        age_s = t_s - self.start_s
        wobble = self.curl * sin(5 * age_s + self.heading)
        ahead = self.px_per_s * age_s
        x = self.spot[0] + ahead * cos(self.heading) + 14 * wobble * sin(self.heading) + 6 * self.curl * sin(17 * age_s)
        y = self.spot[1] + ahead * sin(self.heading) - 14 * wobble * cos(self.heading) + 6 * self.curl * sin(13 * age_s)
        return x, y


def _glow(stage: Stage, picture: np.ndarray, path: list[Spot], radius_px: float, soft_px: float,
          level: float) -> np.ndarray:
    """Add a blurred streak along the path, as bright as the time spent there; lengths at 320 wide."""
    unit = stage.unit
    room = (radius_px + 3 * soft_px) * unit + 2
    points = np.array(path) * unit
    left, top = (max(0, int(low - room)) for low in points.min(axis=0))
    right, bottom = (int(high + room) + 1 for high in points.max(axis=0))
    right, bottom = min(right, stage.width), min(bottom, stage.height)
    if right - left < 3 or bottom - top < 3:
        return picture
    sheet = np.zeros((bottom - top, right - left), np.float32)
    corners = [tuple(np.rint((point - (left, top)) * 8).astype(int).tolist()) for point in points]
    for a, b in zip(corners, corners[1:], strict=False):
        cv2.line(sheet, a, b, 1.0, max(1, round(2 * radius_px * unit)), cv2.LINE_AA, shift=3)
    length = sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in zip(path, path[1:], strict=False))
    shine = level / (1 + length / (2 * radius_px + 2 * soft_px))
    picture[top:bottom, left:right] += shine * cv2.GaussianBlur(sheet, (0, 0), max(0.4, soft_px * unit))
    return picture


def _flying(stage: Stage, flights: list[Flight], soft: float) -> Paint:
    def fly(picture: np.ndarray, t_s: float) -> np.ndarray:
        for flight in flights:
            if flight.start_s <= t_s < flight.start_s + flight.seconds:
                path = [flight.at(t_s + EXPOSURE_S * part) for part in (0, 0.5, 1)]
                picture = _glow(stage, picture, path, flight.radius_px, soft * flight.radius_px, flight.level)
        return picture

    return fly


def _flights(stage: Stage, seconds: float, a_minute: float, draw: Callable[[], tuple[float, ...]]) -> list[Flight]:
    """Random flights; `draw` gives seconds, pixels a second, curl, radius and level."""
    rng, flights = stage.rng, []
    for _ in range(rng.poisson(a_minute * seconds / 60)):
        spot = float(rng.uniform(0, 320)), float(rng.uniform(0, 180))
        lasts_s, *rest = draw()
        heading = float(rng.uniform(0, 2 * pi))
        flights.append(Flight(float(rng.uniform(-1, seconds)), lasts_s, spot, heading, *rest))
    return flights


def near_insects(stage: Stage, a_minute: float = 25, level: float = 90, seconds: float = 60) -> Paint:
    """Large, out of focus, fast: in and out of the picture within a second."""
    u = stage.rng.uniform
    flights = _flights(stage, seconds, a_minute,
                       lambda: (u(0.3, 1.4), u(120, 420), u(0.2, 1.0), u(4, 11), level * u(0.5, 1.2)))
    return _flying(stage, flights, soft=0.45)


def lens_moths(stage: Stage, a_minute: float = 20, level: float = 160, seconds: float = 60) -> Paint:
    """Lit by the camera's own lamp: a crisp streak in a wide halo of a few grey levels."""
    u = stage.rng.uniform
    flights = _flights(stage, seconds, a_minute,
                       lambda: (u(0.3, 1.6), u(80, 350), u(0.3, 1.2), u(1.2, 3.0), level * u(0.6, 1.3)))
    halo = _flying(stage, [flight._replace(radius_px=5 * flight.radius_px, level=5.0) for flight in flights], soft=0.5)
    streak = _flying(stage, flights, soft=0.2)
    return lambda picture, t_s: streak(halo(picture, t_s), t_s)


def slow_insects(stage: Stage, a_minute: float = 8, level: float = 70, seconds: float = 60) -> Paint:
    """Near and slow: soft discs that hover and drift for seconds."""
    u = stage.rng.uniform
    flights = _flights(stage, seconds, a_minute,
                       lambda: (u(2, 6), u(8, 45), u(0.3, 1.2), u(3, 8), level * u(0.5, 1.1)))
    return _flying(stage, flights, soft=0.5)


def far_insects(stage: Stage, a_minute: float = 60, level: float = 80, seconds: float = 60) -> Paint:
    """Small and sharp, a pixel or two."""
    u = stage.rng.uniform
    flights = _flights(stage, seconds, a_minute,
                       lambda: (u(0.5, 3), u(30, 160), u(0.3, 1.5), u(0.6, 1.4), level * u(0.5, 1.2)))
    return _flying(stage, flights, soft=0.4)


def moths(stage: Stage, x: float, y: float, moths_n: int = 3, radius_px: float = 22, level: float = 90) -> Paint:
    """Moths that circle a lamp, all the time."""
    turns = stage.rng.uniform((0.5, 0.4, 0), (1.6, 1.0, 6), (moths_n, 3)).tolist()

    def at(t_s: float, hertz: float, wide: float, phase: float) -> Spot:
        angle = 2 * pi * hertz * t_s + phase + 1.3 * sin(1.1 * t_s + phase)
        far = radius_px * wide * (0.7 + 0.3 * sin(2.3 * t_s + phase))
        return 320 * x + far * cos(angle), 320 * y * stage.height / stage.width + 0.6 * far * sin(angle)

    def circle(picture: np.ndarray, t_s: float) -> np.ndarray:
        for turn in turns:
            picture = _glow(stage, picture, [at(t_s + EXPOSURE_S * part, *turn) for part in (0, 1)], 1.4, 0.6, level)
        return picture

    return circle


def crawler(stage: Stage, start_s: float, seconds: float, radius_px: float = 9, level: float = -45) -> Paint:
    """An insect that walks over the lens' glass, far out of focus, with pauses; dark by day, bright (> 0) at night."""
    x0, y0, phase = (float(v) for v in stage.rng.uniform((60, 40, 0), (260, 140, 6)))

    def crawl(picture: np.ndarray, t_s: float) -> np.ndarray:
        if not start_s <= t_s < start_s + seconds:
            return picture
        age_s = t_s - start_s
        walked = age_s + 1.4 * sin(0.7 * age_s + phase)           # now fast, now hardly
        spot = x0 + 40 * sin(0.23 * walked + phase) + 5 * walked * cos(phase), y0 + 30 * cos(0.31 * walked)
        return _glow(stage, picture, [spot, (spot[0] + 0.5, spot[1])], radius_px, 0.6 * radius_px, level)

    return crawl


def strand(stage: Stage, x: float, level: float = 45, px: float = 4.0, hertz: float = 0.7) -> Paint:
    """A spider's thread before the lens that swings in the wind and glows in infrared light."""
    phase, ys = float(stage.rng.uniform(0, 6)), np.linspace(0, 180, 9)

    def swing(picture: np.ndarray, t_s: float) -> np.ndarray:
        blow = 0.3 + 0.7 * max(0.0, sin(2 * pi * t_s / 8.0 + phase))
        bend = px * blow * np.sin(2 * pi * hertz * t_s + phase) * np.sin(pi * ys / 180)
        path = [(320 * x + 0.1 * down + aside, down) for down, aside in zip(ys.tolist(), bend.tolist(), strict=True)]
        return _glow(stage, picture, path, 0.7, 1.6, level * (1 + 180 / 5))

    return swing
