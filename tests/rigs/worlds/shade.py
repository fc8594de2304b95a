"""The sun through what the wind moves: hard shadows of leaves, beams through blinds, a curtain in a draught."""
from math import pi, sin

import cv2
import numpy as np

from tests.rigs.worlds.stage import Corners, Paint, Stage
from tests.rigs.worlds.weather import gust

FINE = 8


def _branches(stage: Stage, leaves_n: int, leaf_px: float, room: int) -> np.ndarray:
    """Twigs full of leaves, 0..1, with a margin around the picture."""
    unit, rng = stage.unit, stage.rng
    sheet = np.zeros((stage.height + 2 * room, stage.width + 2 * room), np.uint8)
    for _ in range(max(1, leaves_n // 14)):
        start, angle = rng.uniform((0, 0), sheet.shape[::-1]), float(rng.uniform(0, 2 * pi))
        twig = start + np.linspace(0, 70 * unit, 8)[:, None] * (np.cos(angle), np.sin(angle))
        twig += rng.normal(0, 3 * unit, twig.shape)
        cv2.polylines(sheet, [np.rint(twig * FINE).astype(np.int32)], False, 255, max(1, round(unit)), cv2.LINE_AA, 3)
        for _ in range(14):
            middle = twig[rng.integers(8)] + rng.normal(0, 1.6 * leaf_px * unit, 2)
            long = leaf_px * unit * float(rng.uniform(0.6, 1.3))
            axes = round(long * FINE), round(long * float(rng.uniform(0.3, 0.55)) * FINE)
            cv2.ellipse(sheet, tuple(np.rint(middle * FINE).astype(int).tolist()), axes, float(rng.uniform(0, 180)),
                        0, 360, 255, -1, cv2.LINE_AA, 3)
    return sheet.astype(np.float32) / 255


def leaf_shadows(stage: Stage, *grounds: Corners, depth: float = 0.55, leaves_n: int = 260, leaf_px: float = 5.0,
                 px: float = 7.0) -> Paint:
    """Sharp patches on these grounds: two branches, each swings as a whole and flutters leaf by leaf, and they merge.

    `px` is how far a gust moves them, at 320 wide.
    """
    unit, rng, room = stage.unit, stage.rng, round(4 * px * stage.unit) + 2
    lit = np.maximum.reduce([stage.place.area(ground, 9 * unit) for ground in grounds])
    rows, columns = (slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(lit > 0.02))
    y, x = np.mgrid[rows, columns].astype(np.float32) + room
    twigs = [(_branches(stage, leaves_n // 2, leaf_px, room), [pi * stage.cloud(18)[rows, columns] for _ in range(3)],
              *(float(v) for v in rng.uniform((0.35, 0, 0.6), (0.8, 6, 1.2)))) for _ in range(2)]

    def sway(picture: np.ndarray, t_s: float) -> np.ndarray:
        dark = np.zeros(y.shape, np.float32)
        for sheet, phases, hertz, phase, share in twigs:
            blow = gust(t_s, phase) * share * px * unit
            swing, bob = sin(2 * pi * hertz * t_s + phase), sin(2 * pi * 0.7 * hertz * t_s)
            flutter = 0.35 * blow * np.sin(2 * pi * 2.3 * t_s + phases[0])
            aside = blow * (1.2 * swing + 0.6) + flutter
            up = 0.5 * blow * bob + 0.35 * blow * np.sin(2 * pi * 1.9 * t_s + phases[1])
            dark = np.maximum(dark, cv2.remap(sheet, x + aside, y + up, cv2.INTER_LINEAR))
        picture[rows, columns] *= 1 - depth * lit[rows, columns] * cv2.GaussianBlur(dark, (0, 0), 0.5 * unit)
        return picture

    return sway


def beams(stage: Stage, corners: Corners, slats_n: int = 9, gain: float = 0.8, slant: float = 0.25, px: float = 4.0,
          veils_s: float = 11.0) -> Paint:
    """Bands of sun through blinds: the slats stir in the draught, a twig outside plays, clouds take the sun.

    `veils_s` is how long a cloud and the sun after it last.
    """
    mask = stage.place.area(corners, 1.0)
    tops = [y for _, y in corners]
    top, tall = min(tops) * stage.height, (max(tops) - min(tops)) * stage.height
    y, x = np.mgrid[:stage.height, :stage.width].astype(np.float32)
    phase, room = float(stage.rng.uniform(0, 6)), round(20 * stage.unit)
    twig = 1 - 0.7 * cv2.GaussianBlur(_branches(stage, 120, 7, room), (0, 0), 2 * stage.unit)

    def shine(picture: np.ndarray, t_s: float) -> np.ndarray:
        stir = px * stage.unit * gust(t_s, phase) * sin(2 * pi * 0.6 * t_s + phase)
        tilt = 0.25 * gust(t_s, 2 * phase) * sin(2 * pi * 0.35 * t_s)
        bands = np.sin(2 * pi * slats_n * (y - top + slant * x + stir * (1 + (y - top) / tall)) / tall)
        play = room * gust(t_s, phase) * 0.8
        down, right = room + play * sin(2 * pi * 0.45 * t_s), room + play * sin(2 * pi * 0.6 * t_s + phase)
        leaves = twig[round(down):, round(right):][:stage.height, :stage.width]
        sun = 0.5 + 0.5 * np.tanh(2.5 * (sin(2 * pi * t_s / veils_s + phase) + 0.4))
        return picture * (1 + gain * float(sun) * mask * leaves * np.clip(4 * (bands + tilt), 0, 1))

    return shine


def curtain(stage: Stage, left: float, top: float, wide: float, tall: float, level: float = 170, px: float = 12.0,
            hertz: float = 0.3) -> Paint:
    """It hangs from a rail and billows in the draught, in folds that run along it; the window shines through."""
    rows = slice(round(top * stage.height), round((top + tall) * stage.height))
    y, x = np.mgrid[rows, :stage.width].astype(np.float32)
    hang = ((y - rows.start) / (rows.stop - rows.start)) ** 1.4
    weave, phase = stage.cloud(3, 2.5)[rows], float(stage.rng.uniform(0, 6))
    edges, unit = (left * stage.width, (left + wide) * stage.width), stage.unit

    def billow(picture: np.ndarray, t_s: float) -> np.ndarray:
        blow = gust(t_s, phase)
        out = px * unit * hang * blow * (0.6 + 0.6 * sin(2 * pi * hertz * t_s + phase))
        run = 2 * pi * hertz * t_s - hang * 1.5
        at = x - out * (x - edges[0]) / (edges[1] - edges[0]) - 0.25 * out * np.sin(run + x / (22 * unit))
        folds = np.sin((at - edges[0]) / (3.2 * unit)) + 0.5 * np.sin((at - edges[0]) / (7 * unit) + run * blow)
        cover = np.clip(at - edges[0], 0, 1) * np.clip(edges[1] - at, 0, 1)
        cloth = level + weave + 16 * folds + 18 * hang * blow * np.sin(run + (at - edges[0]) / (30 * unit))
        picture[rows] += cover * (cloth - picture[rows])
        return picture

    return billow
