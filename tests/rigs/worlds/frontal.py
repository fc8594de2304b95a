"""More looks: vehicles seen from the front or from behind, somebody who crawls, somebody under an umbrella."""
from math import cos, pi, sin

from tests.rigs.worlds.actors import Look
from tests.rigs.worlds.cut import Sprite
from tests.rigs.worlds.drawn import Canvas, Clothes, Posture

LOW = 0.45                  # how tall somebody who crawls is, in heights of a person: the `size` of their way
SHELTERED = 1.25            # and somebody under an umbrella


def auto_ahead(level: float = 170, lights: float = 90) -> Look:
    """A car from the front, or from behind."""
    def draw(posture: Posture) -> Sprite:
        canvas = Canvas(1.25)
        for x in (-0.4, 0.4):
            canvas.limb((x, 0.06), (x, 0.2), thick=0.14, level=22)
        canvas.shape((-0.52, 0.14), (-0.54, 0.5), (-0.47, 0.58), (0.47, 0.58), (0.54, 0.5), (0.52, 0.14), level=level)
        canvas.shape((-0.47, 0.58), (-0.36, 0.88), (0.36, 0.88), (0.47, 0.58), level=level * 0.9)
        canvas.shape((-0.4, 0.6), (-0.32, 0.83), (0.32, 0.83), (0.4, 0.6), level=38)
        canvas.shape((-0.26, 0.24), (-0.26, 0.36), (0.26, 0.36), (0.26, 0.24), level=level * 0.45)
        for x in (-0.42, 0.42):
            canvas.disc((x, 0.42), (0.075, 0.06), lights)
        return canvas.sprite()

    return draw


def rider_ahead(clothes: Clothes, lights: float = 120) -> Look:
    """A motorbike and its rider from the front, or from behind; it leans from side to side a little."""
    def draw(posture: Posture) -> Sprite:
        canvas, sway = Canvas(0.8), 0.03 * sin(0.8 * posture.step)
        canvas.limb((0, 0.07), (0, 0.32), thick=0.11, level=25)
        canvas.shape((-0.11, 0.28), (-0.13, 0.55), (0.13, 0.55), (0.11, 0.28), level=clothes.hair + 70)
        for way in (1, -1):
            canvas.limb((0.08 * way, 0.5), (0.19 * way, 0.42), (0.16 * way, 0.2), thick=0.1, level=clothes.legs)
            canvas.limb((sway + 0.13 * way, 0.76), (0.27 * way, 0.66), (0.24 * way, 0.6), thick=0.07,
                        level=clothes.top * 0.85)
            canvas.limb((0.2 * way, 0.6), (0.29 * way, 0.62), thick=0.035, level=60)
        canvas.limb((0, 0.52), (sway, 0.74), thick=0.25, level=clothes.top)
        canvas.disc((sway, 0.91), (0.085, 0.09), clothes.skin + 20)
        canvas.disc((0, 0.5), (0.06, 0.055), lights)
        return canvas.sprite()

    return draw


def crawls(clothes: Clothes) -> Look:
    """Somebody on hands and knees; LOW tall."""
    def draw(posture: Posture) -> Sprite:
        canvas = Canvas(1.3, LOW)
        for way in (1, -1):
            swing = 0.09 * way * sin(4 * pi * posture.step)
            lift = 0.04 * max(0.0, way * cos(4 * pi * posture.step))
            canvas.limb((-0.2, 0.26), (-0.17 + swing, 0.05 + lift), (-0.44 + swing, 0.04), thick=0.1,
                        level=clothes.legs)
            canvas.limb((0.2, 0.29), (0.22 - swing, 0.16), (0.25 - swing, 0.03 + lift), thick=0.07,
                        level=clothes.top * 0.85)
        canvas.limb((-0.18, 0.28), (0.2, 0.31), thick=0.17, level=clothes.top)
        canvas.disc((0.36, 0.34), (0.075, 0.07), clothes.skin)
        canvas.disc((0.34, 0.37), (0.07, 0.05), clothes.hair)
        return canvas.sprite()

    return draw


def sheltered(clothes: Clothes, level: float = 45) -> Look:
    """Somebody under an umbrella, which hides the head; SHELTERED tall."""
    def draw(posture: Posture) -> Sprite:
        canvas, swing = Canvas(1.15, SHELTERED), sin(2 * pi * posture.step)
        for way in (1, -1):
            foot = 0.15 * way * swing
            canvas.limb((0, 0.52), (0.6 * foot, 0.27), (foot, 0.03), thick=0.1, level=clothes.legs)
        canvas.limb((0, 0.54), (0.01, 0.74), thick=0.21, level=clothes.top)
        canvas.limb((0.05, 0.76), (0.16, 0.66), (0.1, 0.82), thick=0.07, level=clothes.top * 0.85)
        tilt = 0.03 * swing
        canvas.limb((0.1, 0.8), (0.05 + tilt, 1.2), thick=0.02, level=80)
        rim = [(0.5 * cos(a) + 0.04 + tilt, 0.93 + 0.28 * sin(a)) for a in (pi * k / 12 for k in range(13))]
        canvas.shape(*rim, level=level)
        for spoke in (-0.3, 0.0, 0.3):
            canvas.limb((0.04 + tilt, 1.2), (0.04 + tilt + spoke, 0.94), thick=0.012, level=level * 1.3)
        return canvas.sprite()

    return draw
