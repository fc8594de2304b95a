"""Figures drawn limb by limb, facing right: people in any posture, vehicles with riders, a dog.

Each fills a canvas whose lower edge is the ground. Grey levels; `CANVAS_PX` is a person's height.
"""
from math import cos, pi, sin
from typing import NamedTuple

import cv2
import numpy as np

from tests.rigs.worlds.cut import Sprite

CANVAS_PX = 160
Point = tuple[float, float]


class Posture(NamedTuple):
    """How somebody holds themselves: cycles walked, lean to the side (-1..1), an arm's reach, sits, turned (0..1)."""

    step: float = 0.0
    lean: float = 0.0
    reach: float = 0.0
    sit: float = 0.0
    turn: float = 0.0


class Clothes(NamedTuple):
    """Grey levels of what somebody wears."""

    top: float = 60
    legs: float = 40
    skin: float = 150
    hair: float = 30


class Canvas:
    """Grey and cover, in fractions of a person's height: x from the middle, y up from the ground."""

    def __init__(self, wide: float, tall: float = 1.0) -> None:
        self.grey = np.zeros((round(tall * CANVAS_PX), round(wide * CANVAS_PX)), np.float32)
        self.cover = np.zeros_like(self.grey)

    def _at(self, point: Point) -> tuple[int, int]:
        return (round(self.grey.shape[1] / 2 + point[0] * CANVAS_PX), round(self.grey.shape[0] - point[1] * CANVAS_PX))

    def limb(self, *joints: Point, thick: float, level: float) -> None:
        """A line of rounded pieces."""
        for a, b in zip(joints, joints[1:], strict=False):
            for sheet, value in ((self.grey, level), (self.cover, 1.0)):
                cv2.line(sheet, self._at(a), self._at(b), value, max(1, round(thick * CANVAS_PX)), cv2.LINE_AA)

    def disc(self, middle: Point, radii: Point, level: float, ring: float = 0.0) -> None:
        """An ellipse, filled or as a ring of this thickness."""
        axes, line = tuple(round(r * CANVAS_PX) for r in radii), max(1, round(ring * CANVAS_PX)) if ring else -1
        for sheet, value in ((self.grey, level), (self.cover, 1.0)):
            cv2.ellipse(sheet, self._at(middle), axes, 0, 0, 360, value, line, cv2.LINE_AA)

    def shape(self, *corners: Point, level: float) -> None:
        """A filled outline."""
        for sheet, value in ((self.grey, level), (self.cover, 1.0)):
            cv2.fillPoly(sheet, [np.array([self._at(corner) for corner in corners], np.int32)], value, cv2.LINE_AA)

    def sprite(self) -> Sprite:
        """What was drawn, lit from above and a little worn."""
        tall, wide = self.grey.shape
        lit = np.linspace(1.15, 0.85, tall, dtype=np.float32)[:, None]
        worn = 1 + 0.08 * np.sin(np.arange(wide) / 5.0) * np.sin(np.arange(tall)[:, None] / 7.0)
        return Sprite((self.grey * lit * worn).astype(np.float32), self.cover)


def person(posture: Posture, clothes: Clothes) -> Sprite:
    """Somebody on foot or on a chair."""
    canvas, swing = Canvas(0.9), sin(2 * pi * posture.step)
    hip_y = 0.52 - 0.2 * posture.sit
    sway = 0.06 * posture.lean
    hip, neck = (sway * 0.4, hip_y), (sway + 0.05 * posture.sit, hip_y + 0.31)
    for way in (1, -1):
        stride = 0.15 * way * swing
        knee = (hip[0] + stride * 0.6 + 0.2 * posture.sit, hip_y * (1 - posture.sit) * 0.52 + posture.sit * 0.27)
        lift = 0.05 * max(0.0, -way * cos(2 * pi * posture.step)) * abs(swing)
        foot = (hip[0] + stride + 0.2 * posture.sit, 0.02 + lift)
        canvas.limb(hip, knee, foot, thick=0.1, level=clothes.legs)
        canvas.limb(foot, (foot[0] + 0.06, foot[1]), thick=0.05, level=clothes.legs * 0.6)
    broad = 0.24 - 0.09 * posture.turn
    canvas.limb((hip[0], hip_y + 0.02), (neck[0], neck[1] - 0.1), thick=broad, level=clothes.top)
    _arms(canvas, neck, posture, swing, clothes)
    canvas.disc((neck[0] + 0.02 * posture.turn, neck[1] + 0.09), (0.055, 0.075), clothes.skin)
    canvas.disc((neck[0] - 0.02 + 0.03 * posture.turn, neck[1] + 0.12), (0.055, 0.05), clothes.hair)
    return canvas.sprite()


def _arms(canvas: Canvas, neck: Point, posture: Posture, swing: float, clothes: Clothes) -> None:
    for way in (1, -1):
        shoulder = (neck[0] + 0.08 * way * (1 - 0.6 * posture.turn), neck[1] - 0.03)
        angle = -0.5 * way * swing + (1.9 * posture.reach if way > 0 else 0.3 * posture.reach) + 0.5 * posture.sit
        elbow = (shoulder[0] + 0.17 * sin(angle), shoulder[1] - 0.17 * cos(angle))
        hand = (elbow[0] + 0.16 * sin(angle * 1.4), elbow[1] - 0.16 * cos(angle * 1.4))
        canvas.limb(shoulder, elbow, thick=0.075, level=clothes.top * 0.85)
        canvas.limb(elbow, hand, thick=0.06, level=clothes.skin)


def car(level: float = 170, lights: float = 90) -> Sprite:
    """A car from its side, 2.5 persons long."""
    canvas = Canvas(2.7)
    canvas.shape((-1.25, 0.18), (-1.25, 0.45), (-0.85, 0.55), (-0.5, 0.85), (0.35, 0.85), (0.75, 0.55), (1.22, 0.45),
                 (1.25, 0.18), level=level)
    canvas.shape((-0.7, 0.56), (-0.42, 0.8), (-0.06, 0.8), (-0.06, 0.56), level=35)
    canvas.shape((0.0, 0.56), (0.0, 0.8), (0.3, 0.8), (0.62, 0.56), level=35)
    canvas.limb((-0.03, 0.2), (-0.03, 0.55), thick=0.015, level=level * 0.6)
    for x in (-0.78, 0.78):
        canvas.disc((x, 0.18), (0.19, 0.19), 25)
        canvas.disc((x, 0.18), (0.1, 0.1), 110)
    canvas.disc((1.17, 0.4), (0.06, 0.05), lights)
    return canvas.sprite()


def motorbike(clothes: Clothes, step: float = 0.0, rider: bool = True, lights: float = 120) -> Sprite:
    """A small motorbike, with somebody on it or left alone."""
    canvas = Canvas(1.3)
    for x in (-0.38, 0.38):
        canvas.disc((x, 0.17), (0.16, 0.16), 30, ring=0.05)
        canvas.limb((x, 0.17), (x + 0.1 * cos(6 * step), 0.17 + 0.1 * sin(6 * step)), thick=0.02, level=110)
    canvas.shape((-0.45, 0.3), (-0.4, 0.45), (0.05, 0.42), (0.15, 0.28), (0.0, 0.18), (-0.3, 0.2),
                 level=clothes.hair + 60)
    canvas.shape((0.2, 0.25), (0.24, 0.55), (0.34, 0.55), (0.36, 0.3), level=clothes.hair + 90)
    canvas.limb((0.38, 0.17), (0.26, 0.62), thick=0.04, level=60)
    canvas.disc((0.33, 0.52), (0.05, 0.05), lights)
    if rider:
        canvas.limb((-0.12, 0.47), (0.14, 0.4), (0.06, 0.16), thick=0.11, level=clothes.legs)
        canvas.limb((-0.14, 0.5), (-0.04, 0.76), thick=0.2, level=clothes.top)
        canvas.limb((-0.03, 0.78), (0.12, 0.62), (0.24, 0.62), thick=0.06, level=clothes.top * 0.85)
        canvas.disc((0.02, 0.91), (0.085, 0.085), clothes.skin + 20)
    return canvas.sprite()


def bicycle(clothes: Clothes, step: float = 0.0) -> Sprite:
    """A bicycle with its rider, who pedals."""
    canvas = Canvas(1.3)
    for x in (-0.34, 0.34):
        canvas.disc((x, 0.19), (0.18, 0.18), 35, ring=0.02)
    canvas.limb((-0.34, 0.19), (-0.1, 0.42), (0.26, 0.44), (0.0, 0.18), (-0.34, 0.19), thick=0.025, level=90)
    canvas.limb((0.34, 0.19), (0.24, 0.56), thick=0.025, level=90)
    for way in (1, -1):
        pedal = (0.1 * way * cos(2 * pi * step), 0.18 + 0.1 * way * sin(2 * pi * step))
        canvas.limb((-0.12, 0.52), (0.12, 0.44 + 0.5 * (pedal[1] - 0.18)), pedal, thick=0.08, level=clothes.legs)
    canvas.limb((-0.12, 0.55), (0.02, 0.8), thick=0.18, level=clothes.top)
    canvas.limb((0.03, 0.8), (0.14, 0.66), (0.25, 0.58), thick=0.055, level=clothes.skin)
    canvas.disc((0.08, 0.93), (0.06, 0.07), clothes.hair)
    return canvas.sprite()


def dog(level: float = 70, step: float = 0.0) -> Sprite:
    """A dog, 0.4 persons tall."""
    canvas, swing = Canvas(0.8, 0.5), sin(2 * pi * step)
    for x, way in ((-0.17, 1), (-0.12, -1), (0.13, 1), (0.18, -1)):
        canvas.limb((x, 0.22), (x + 0.08 * way * swing, 0.02), thick=0.045, level=level * 0.8)
    canvas.disc((0, 0.27), (0.24, 0.09), level)
    canvas.limb((0.2, 0.3), (0.28, 0.38), thick=0.08, level=level)
    canvas.disc((0.31, 0.4), (0.08, 0.05), level * 1.1)
    canvas.limb((-0.22, 0.3), (-0.32, 0.4 + 0.03 * sin(4 * pi * step)), thick=0.03, level=level)
    return canvas.sprite()
