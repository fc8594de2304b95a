"""Snow: far flakes are small, sharp and slow; near ones large, soft and gone in a moment. All of them drift alike."""
from math import pi, sin
from typing import NamedTuple

import cv2
import numpy as np

from tests.rigs.worlds.stage import WIDE_PX, Paint, Place, Stage

EXPOSURE_S = 0.02
FINE = 8                    # parts of a pixel to which a flake is drawn
ROOM_PX = 40                # around the picture, from where flakes come
GOLDEN = 0.618              # a flake that has left comes back elsewhere


class Depth(NamedTuple):
    """Flakes at one distance: radii, how soft, pixels a second downwards, how much they cover; lengths at 320 wide."""

    radii_px: tuple[float, float]
    soft_px: float
    px_per_s: tuple[float, float]
    cover: float


FAR, MIDDLE, NEAR = (Depth((0.3, 0.6), 0.3, (16, 34), 0.6), Depth((0.6, 1.1), 0.4, (36, 75), 0.8),
                     Depth((1.2, 2.6), 0.9, (80, 170), 0.75))
AT_THE_LENS = Depth((4, 10), 3.0, (190, 380), 0.4)


def snowed(place: Place) -> Place:
    """The place under snow: pale, with little contrast, the ground more than what stands on it."""
    down = np.linspace(0.15, 0.5, place.picture.shape[0], dtype=np.float32)[:, None]
    return Place(place.picture * (1 - down) + 205 * down, place.far, place.near, place.leaves, place.water)


def snow(stage: Stage, far_n: int, middle_n: int, near_n: int, lens_n: int = 0, level: float = 245, wind: float = 0.3,
         haze: float = 0.0) -> Paint:
    """So many flakes of each distance, at any time; `wind` is pixels aside for each downwards, and swells in gusts."""
    layers = [_layer(stage, depth, many, level, wind) for depth, many in (
        (FAR, far_n), (MIDDLE, middle_n), (NEAR, near_n), (AT_THE_LENS, lens_n)) if many]

    def fall(picture: np.ndarray, t_s: float) -> np.ndarray:
        picture = picture * (1 - haze) + haze * 190
        for layer in layers:
            picture = layer(picture, t_s)
        return picture

    return fall


def _layer(stage: Stage, depth: Depth, many: int, level: float, wind: float) -> Paint:
    rng, unit = stage.rng, stage.unit
    tall, wide = WIDE_PX * stage.height / stage.width + 2 * ROOM_PX, WIDE_PX + 2 * ROOM_PX
    starts, sways = rng.uniform((0, 0), (wide, tall), (many, 2)), rng.uniform((0.3, 0, 1), (1.1, 2 * pi, 4), (many, 3))
    radii, speeds = rng.uniform(*depth.radii_px, many), rng.uniform(*depth.px_per_s, many)

    def at(t_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows at 320 wide, and which fall each flake is in."""
        fallen = starts[:, 1] + speeds * t_s
        passes, down = np.divmod(fallen, tall)
        blown = wind * (t_s + 1.5 * sin(2 * pi * t_s / 9.0))       # gusts: now slower, now faster
        aside = starts[:, 0] + GOLDEN * wide * passes + speeds * blown
        aside += sways[:, 2] * np.sin(2 * pi * sways[:, 0] * t_s + sways[:, 1])
        return np.stack([aside % wide - ROOM_PX, down - ROOM_PX], axis=1), passes

    def fall(picture: np.ndarray, t_s: float) -> np.ndarray:
        (ends, passes), (begins, passed) = at(t_s), at(t_s - EXPOSURE_S)
        jumped = (np.abs(ends - begins).max(axis=1) > ROOM_PX) | (passes != passed)
        begins[jumped] = ends[jumped]
        streaks = np.hypot(*(ends - begins).T)
        shine = 255 / (1 + streaks / (2 * radii + depth.soft_px))
        sheet = np.zeros(picture.shape, np.uint8)
        for a, b, radius, bright in zip(_fine(begins * unit), _fine(ends * unit), radii * unit, shine, strict=True):
            cv2.line(sheet, a, b, bright, max(1, round(2 * radius)), cv2.LINE_AA, shift=3)
        cover = cv2.GaussianBlur(sheet.astype(np.float32), (0, 0), depth.soft_px * unit) * (depth.cover / 255)
        return picture + cover * (level - picture)

    return fall


def _fine(points: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(point) for point in np.rint(points * FINE).astype(int).tolist()]
