"""A spider's web before an infrared lamp: many threads that swing together and glow, and the spider on it."""
from math import cos, pi, sin

import cv2
import numpy as np

from tests.rigs.worlds.stage import WIDE_PX, Paint, Stage

EXPOSURES = 0.0, 0.02, 0.04         # seconds over which a picture is taken
FINE = 8
SPIDER_LEGS = 6

Lines = list[np.ndarray]            # each of shape (points, 2), at 320 wide


class Web:
    """Spokes out of a hub and rings between them. It swings as one, most at the hub; `reach_px` is its radius."""

    def __init__(self, stage: Stage, x: float, y: float, reach_px: float = 130, spokes_n: int = 9, rings_n: int = 5,
                 level: float = 70, px: float = 4.0, soft_px: float = 1.1) -> None:
        rng = stage.rng
        self.stage, self.level, self.px, self.soft_px, self.reach_px = stage, level, px, soft_px, reach_px
        self.hub = np.array([WIDE_PX * x, WIDE_PX * y * stage.height / stage.width])
        angles = np.sort(np.linspace(0, 2 * pi, spokes_n, endpoint=False) + rng.uniform(-0.25, 0.25, spokes_n))
        self.ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self.glows = rng.uniform(0.35, 1.0, spokes_n + rings_n)
        self.phase = float(rng.uniform(0, 6))
        radii = np.linspace(0.15, 0.75, rings_n)[:, None] * rng.uniform(0.88, 1.12, (rings_n, spokes_n))
        far = np.linspace(0, 1, 7)[:, None]
        self.lines: Lines = [self.hub + reach_px * far * way for way in self.ways]
        for ring in radii:
            corners = self.hub + reach_px * ring[:, None] * self.ways
            sagging = [[a, 0.5 * (a + b) + 0.08 * (self.hub - 0.5 * (a + b))]
                       for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
            first = int(rng.integers(spokes_n))
            points = np.roll(np.array(sagging).reshape(-1, 2), 2 * first, axis=0)
            self.lines.append(points[:int(len(points) * rng.uniform(0.5, 1))])      # old webs have holes

    def swung(self, points: np.ndarray, t_s: float) -> np.ndarray:
        """Where these points of the web are now."""
        blow = 0.2 + 0.8 * max(0.0, sin(2 * pi * t_s / 7.3 + self.phase)) ** 2
        swing = np.array([sin(2 * pi * 0.8 * t_s + self.phase) + 0.4 * sin(2 * pi * 2.1 * t_s),
                          0.35 * sin(2 * pi * 1.1 * t_s + 2 * self.phase)])
        slack = np.clip(1 - np.hypot(*(points - self.hub).T) / self.reach_px, 0, 1)[:, None]
        return points + self.px * blow * slack ** 0.6 * swing

    def paint(self, picture: np.ndarray, t_s: float) -> np.ndarray:
        """Add its glow; a thread glitters when it turns."""
        sheet = np.zeros(picture.shape, np.uint8)
        shine = np.zeros(picture.shape, np.float32)
        for exposed_s in EXPOSURES:
            sheet[:] = 0
            for number, (line, glow) in enumerate(zip(self.lines, self.glows, strict=True)):
                turn = 0.75 + 0.25 * sin(2 * pi * 0.9 * t_s + 2.4 * number)
                self._draw(sheet, self.swung(line, t_s + exposed_s), 255 * glow * turn)
            shine += sheet
        soft = cv2.GaussianBlur(shine, (0, 0), self.soft_px * self.stage.unit) / (255 * len(EXPOSURES))
        return picture + 2.5 * self.soft_px * self.level * soft

    def spider(self, *visits_s: tuple[float, float], radius_px: float = 4.5, level: float = 110) -> Paint:
        """It runs and rests on the threads during these stretches (from, to)."""
        def walk(picture: np.ndarray, t_s: float) -> np.ndarray:
            if not any(begin_s <= t_s < end_s for begin_s, end_s in visits_s):
                return picture
            sheet = np.zeros(picture.shape, np.uint8)
            at, step = self._on_a_spoke(t_s)
            self._body(sheet, self.swung(at[None], t_s)[0], step, radius_px)
            soft = cv2.GaussianBlur(sheet.astype(np.float32), (0, 0), 0.25 * radius_px * self.stage.unit) / 255
            return picture + soft * (level + picture.mean() - picture).clip(0)

        return walk

    def _on_a_spoke(self, t_s: float) -> tuple[np.ndarray, float]:
        """Out on one spoke and back to the hub, then the next; three seconds of rest after two of running."""
        ran_s = 2 * (t_s // 5) + min(2.0, t_s % 5)
        spoke, part = int(ran_s // 4) * 4 % len(self.ways), ran_s % 4 / 4
        return self.hub + self.reach_px * (0.1 + 0.7 * sin(pi * part)) * self.ways[spoke], ran_s

    def _body(self, sheet: np.ndarray, at: np.ndarray, step: float, radius_px: float) -> None:
        for leg in range(SPIDER_LEGS):
            angle = 2 * pi * (leg + 0.5) / SPIDER_LEGS + 0.25 * sin(9 * step + 2 * leg)
            knee = at + 1.6 * radius_px * np.array([cos(angle), sin(angle)])
            self._draw(sheet, np.array([at, knee]), 150)
        middle = tuple(np.rint(at * self.stage.unit * FINE).astype(int).tolist())
        cv2.circle(sheet, middle, round(radius_px * self.stage.unit * FINE), 255, -1, cv2.LINE_AA, 3)

    def _draw(self, sheet: np.ndarray, points: np.ndarray, bright: float) -> None:
        corners = np.rint(points * self.stage.unit * FINE).astype(np.int32)
        cv2.polylines(sheet, [corners], False, bright, max(1, round(0.8 * self.stage.unit)), cv2.LINE_AA, 3)
