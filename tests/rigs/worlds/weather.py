"""Wind, rain, clouds and water: nothing of it is anybody. Strengths are pixels at 320 wide, or grey levels."""
from math import pi, sin

import cv2
import numpy as np

from tests.rigs.worlds.stage import Corners, Paint, Stage


def gust(t_s: float, phase: float) -> float:
    """How hard the wind blows, 0.25 to 1: gusts of some seconds."""
    swell = 0.5 + 0.35 * sin(2 * pi * t_s / 9.3 + phase) + 0.3 * sin(2 * pi * t_s / 3.9 + 2 * phase)
    return 0.25 + 0.75 * max(0.0, swell)


def _warp(stage: Stage, mask: np.ndarray, push_px: float, hertz: float, cell_px: float, flutter: float) -> Paint:
    """Let what is under the mask sway, each part in its own time."""
    rows, columns = (slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(mask > 0.02))
    phases = [pi * stage.cloud(cell_px)[rows, columns] for _ in range(3)]
    weight = mask[rows, columns] * push_px * stage.unit
    y, x = np.mgrid[rows, columns].astype(np.float32)
    start = float(stage.rng.uniform(0, 2 * pi))

    def sway(picture: np.ndarray, t_s: float) -> np.ndarray:
        blow = gust(t_s, start)
        aside = weight * blow * (np.sin(2 * pi * hertz * t_s + phases[0]) + 0.6 * blow)
        up = 0.5 * weight * blow * np.sin(2 * pi * 1.3 * hertz * t_s + phases[1])
        moved = cv2.remap(picture, x + aside, y + up, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        light = 1 + flutter * blow * mask[rows, columns] * np.sin(2 * pi * 1.7 * hertz * t_s + phases[2])
        picture[rows, columns] = moved * light
        return picture

    return sway


def gusts(stage: Stage, px: float = 2.0) -> Paint:
    """Wind in the place's leaves. Raises ValueError if it has none."""
    if stage.place.leaves is None:
        raise ValueError("gusts: the place has no leaves; choose one that has, or give it a mask")
    return _warp(stage, stage.place.leaves, px, 0.8, 14, 0.12)


def ripples(stage: Stage, px: float = 1.5) -> Paint:
    """Waves, finer towards the far shore, and their glints. Raises ValueError if the place has no water."""
    if stage.place.water is None:
        raise ValueError("ripples: the place has no water; choose one that has, or give it a mask")
    water = stage.place.water
    y, x = np.mgrid[:stage.height, :stage.width].astype(np.float32)
    shore = int(np.nonzero(water.max(axis=1) > 0.5)[0][0])
    near = np.maximum(1, y - shore) / (stage.height - shore)
    crests = 60 * np.log(near + 0.05) + x / (stage.unit * (3 + 22 * near))
    waves = [crests + 1.5 * stage.cloud(cell_px) for cell_px in (9, 23)]
    push = water * px * stage.unit * near

    def roll(picture: np.ndarray, t_s: float) -> np.ndarray:
        first, second = np.sin(2 * pi * 0.6 * t_s + waves[0]), np.sin(2 * pi * 0.9 * t_s - waves[1])
        moved = cv2.remap(picture, x + push * first, y + push * second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return moved + water * (8 * first * second + 45 * np.maximum(0, first * second - 0.8))

    return roll


def cloth(stage: Stage, left: float, top: float, wide: float, tall: float, level: float, px: float = 3.0) -> Paint:
    """Washing on a line, or a flag: it hangs there, not too near to the picture's edge, and waves."""
    height, width = round(tall * stage.height), round(wide * stage.width)
    x0, y0 = round(left * stage.width), round(top * stage.height)
    stripes = level + 25 * np.sign(np.sin(np.arange(width) / (3 * stage.unit)))
    sheet = np.tile(stripes.astype(np.float32), (height, 1)) + stage.cloud(4, 5)[:height, :width]
    room = round(2 * px * stage.unit) + 1
    cover = np.pad(np.ones_like(sheet), room)
    sheet = np.pad(sheet, room, mode="edge")
    y, x = np.mgrid[:sheet.shape[0], :sheet.shape[1]].astype(np.float32)
    hang, phase = np.clip((y - room) / height, 0, 1), float(stage.rng.uniform(0, 6))

    def wave(picture: np.ndarray, t_s: float) -> np.ndarray:
        push = px * stage.unit * gust(t_s, phase) * hang * np.sin(2 * pi * 0.7 * t_s + x / (12 * stage.unit) + phase)
        maps = (x + push).astype(np.float32), (y + 0.4 * push).astype(np.float32)
        shown, seen = (cv2.remap(layer, *maps, cv2.INTER_LINEAR) for layer in (sheet, cover))
        piece = picture[y0 - room:y0 - room + sheet.shape[0], x0 - room:x0 - room + sheet.shape[1]]
        piece += seen * (shown * (1 + 0.1 * np.sin(push)) - piece)
        return picture

    return wave


def clouds(stage: Stage, depth: float = 0.35, px_per_s: float = 12.0) -> Paint:
    """Shadows of clouds drift over everything."""
    far = round(stage.width * 3)
    field = cv2.resize(np.clip(0.5 + 0.4 * stage.rng.standard_normal((5, 22), np.float32), 0, 1),
                       (far, stage.height), interpolation=cv2.INTER_CUBIC)

    def drift(picture: np.ndarray, t_s: float) -> np.ndarray:
        shift = round(px_per_s * stage.unit * t_s) % (far - stage.width)
        return picture * (1 - depth * field[:, shift:shift + stage.width])

    return drift


def rain(stage: Stage, streaks_n: int = 60, level: float = 30.0, haze: float = 0.0) -> Paint:
    """Streaks, each in one picture only; more of them where the rain is denser for a moment."""
    def fall(picture: np.ndarray, t_s: float) -> np.ndarray:
        sheet = np.zeros_like(picture)
        many = stage.rng.poisson(streaks_n * (0.6 + 0.4 * sin(t_s / 2.7) ** 2))
        for x, y, near in stage.rng.uniform((0, -0.1, 0.2), (1, 1, 1), (many, 3)):
            long = near ** 2 * 0.16 * stage.height
            at = round(x * stage.width), round(y * stage.height)
            end = round(at[0] + 0.12 * long), round(at[1] + long)
            thick_px = max(1, round(near * 1.2 * stage.unit))
            cv2.line(sheet, at, end, float(level * (0.4 + 0.6 * near)), thick_px, cv2.LINE_AA)
        return picture * (1 - haze) + haze * 150 + cv2.GaussianBlur(sheet, (0, 0), 0.6 * stage.unit)

    return fall


def drops(stage: Stage, drops_n: int = 8, seconds: float = 50.0) -> Paint:
    """Drops on the lens: one after the other lands, stays as a blurred spot, and some run down."""
    life = [(float(stage.rng.uniform(0, seconds)), *stage.rng.uniform((0.05, 0.0, 5, 0), (0.95, 0.8, 14, 1)).tolist())
            for _ in range(drops_n)]

    def blot(picture: np.ndarray, t_s: float) -> np.ndarray:
        mask = np.zeros_like(picture)
        for lands_s, x, y, radius_px, runs in life:
            age_s = t_s - lands_s
            if age_s >= 0:
                down = max(0.0, age_s - 3) * 0.06 * (runs > 0.6)
                axes = round(radius_px * stage.unit), round(radius_px * stage.unit * 1.2)
                cv2.ellipse(mask, (round(x * stage.width), round((y + down) * stage.height)), axes, 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 2.5 * stage.unit)
        soft = cv2.blur(picture, (round(17 * stage.unit),) * 2)
        return picture + mask * (soft * 1.08 + 4 - picture)

    return blot


def puddle(stage: Stage, corners: Corners, level: float = 18.0) -> Paint:
    """Rings of rain and glints in a puddle."""
    mask = stage.place.area(corners)
    patterns = [stage.cloud(3) for _ in range(2)]

    def glint(picture: np.ndarray, t_s: float) -> np.ndarray:
        wave = np.sin(2 * pi * 0.9 * t_s + 3 * patterns[0]) + np.sin(2 * pi * 1.4 * t_s + 3 * patterns[1])
        return picture + level * mask * np.maximum(0, wave - 0.6)

    return glint
