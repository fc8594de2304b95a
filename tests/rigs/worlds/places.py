"""Empty scenes: photographs out of opencv-doc, corners of vtest, and drawn yards, rooms and alleys.

Each is a function of the picture's width in pixels (16:9) and gives the same place every time.
"""
from collections.abc import Callable

import cv2
import numpy as np

from tests.rigs.cameras import footage
from tests.rigs.worlds import cut
from tests.rigs.worlds.stage import Corners, Place, area, rectangle, texture

Crop = tuple[float, float, float]       # left, top and width, fractions of the photograph's width


def _shot(picture: np.ndarray, crop: Crop, width: int, mirror: bool = False) -> np.ndarray:
    """A 16:9 crop as float32 grey levels, a little soft, as such lenses are."""
    left, top, wide = (round(v * picture.shape[1]) for v in crop)
    tall = wide * 9 // 16
    piece = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[top:top + tall, left:left + wide].astype(np.float32)
    scaled = cv2.resize(piece, (width, width * 9 // 16),
                        interpolation=cv2.INTER_AREA if wide > width else cv2.INTER_CUBIC)
    scaled = cv2.GaussianBlur(scaled, (0, 0), 0.6)
    return np.clip(np.fliplr(scaled) if mirror else scaled, 4, 250)


def _still(name: str, crop: Crop, width: int, mirror: bool = False) -> np.ndarray:
    return _shot(cv2.imread(str(footage.stills() / name)), crop, width, mirror)


def _green(picture: np.ndarray, *outlines: Corners) -> np.ndarray:
    return np.maximum.reduce([area(picture.shape, outline, 5) for outline in outlines])


def shopfront(width: int) -> Place:
    """A shop on a street corner; people pass in front of it."""
    picture = _still("scenetext06.jpg", (0, 0.18, 1), width)
    return Place(picture, far=(0.8, 0.2), near=(1.0, 0.3))


def kerb(width: int) -> Place:
    """A road with a pavement, seen from above."""
    picture = _still("scenetext05.jpg", (0, 0, 1), width, mirror=True)
    return Place(picture, far=(0.1, 0.16), near=(1.0, 0.5))


def wall(width: int) -> Place:
    """A low wall with bushes and palms behind it."""
    picture = _still("scenetext04.jpg", (0, 0.08, 1), width)
    green = _green(picture, ((0.6, 0.0), (1, 0), (1, 0.66), (0.72, 0.64), (0.64, 0.3)),
                   rectangle(0.33, 0.16, 0.6, 0.34))
    return Place(picture, far=(0.85, 0.3), near=(1.05, 0.5), leaves=green)


def arcade(width: int) -> Place:
    """A covered way with a door at its end."""
    picture = _still("scenetext03.jpg", (0, 0.39, 1), width, mirror=True)
    return Place(picture, far=(0.92, 0.2), near=(1.1, 0.85), leaves=_green(picture, rectangle(0.12, 0.2, 0.45, 0.55)))


def wood(width: int) -> Place:
    """Trees in the dark; a board in front of them."""
    picture = _still("scenetext02.jpg", (0, 0.05, 1), width)
    return Place(picture * 0.8, far=(0.8, 0.25), near=(1.0, 0.4),
                 leaves=_green(picture, rectangle(0, 0, 0.2, 0.9), rectangle(0.75, 0, 1, 0.9)))


def lake(width: int) -> Place:
    """Water to the far shore."""
    picture = _still("001.jpg", (0, 0.09, 1), width)
    water, green = area(picture.shape, rectangle(0, 0.47, 1, 1)), _green(picture, rectangle(0.8, 0.1, 1, 0.45))
    return Place(picture, far=(0.9, 0.2), near=(1.0, 0.3), leaves=green, water=water)


def meadow(width: int) -> Place:
    """A tree on a hill; people are far away."""
    picture = _still("002.jpg", (0, 0.08, 1), width)
    green = _green(picture, ((0.62, 0.05), (0.8, 0.2), (0.85, 0.55), (0.6, 0.75), (0.36, 0.6), (0.42, 0.2)))
    return Place(picture, far=(0.8, 0.075), near=(1.0, 0.2), leaves=green)


def hall(width: int) -> Place:
    """A lecture hall with a projector's screen at the left."""
    return Place(_still("studentsSample_input.jpg", (0, 0.18, 1), width), far=(0.9, 0.22), near=(1.1, 0.6))


def table(width: int) -> Place:
    """A table in a dim room."""
    return Place(_still("left.jpg", (0, 0.1, 1), width) * 0.9, far=(0.9, 0.5), near=(1.1, 0.9))


def plant(width: int) -> Place:
    """A pot plant by a window; a fan moves its leaves."""
    picture = _still("plant.jpg", (0, 0.06, 1), width)
    return Place(picture, far=(0.9, 0.6), near=(1.1, 0.9), leaves=_green(picture, rectangle(0.15, 0, 0.98, 0.6)))


def lane(width: int) -> Place:
    """A lane between buildings with parked vans (a corner of vtest's median, mirrored)."""
    return Place(_shot(cut.film().empty, (0.4, 0.02, 0.6), width, mirror=True), far=(0.25, 0.14), near=(1.0, 0.42))


def lawn(width: int) -> Place:
    """A parking lot and grass before a brick building (another corner of it)."""
    return Place(_shot(cut.film().empty, (0.0, 0.02, 0.55), width), far=(0.2, 0.14), near=(1.0, 0.42))


def _drawn(seed: int, width: int) -> tuple[np.ndarray, np.random.Generator, Callable[..., None]]:
    """A bare picture, random numbers, and what fills an outline with a level and a texture."""
    shape, rng = (width * 9 // 16, width), np.random.default_rng(seed)
    picture = np.full(shape, 110, np.float32)

    def fill(corners: Corners, level: float, rough: float = 3.0, cell_px: float = 3.0) -> None:
        inside = area(shape, corners, 0)
        grain = texture(rng, shape, cell_px * width / 320, rough) + texture(rng, shape, 40 * width / 320, rough)
        picture[:] = picture * (1 - inside) + (level + grain) * inside

    return picture, rng, fill


def gate(width: int) -> Place:
    """A house's gate seen from inside of the yard: bars, pillars, the street behind, a tree."""
    picture, _, fill = _drawn(11, width)
    fill(rectangle(0, 0, 1, 0.3), 150, 4)
    fill(rectangle(0, 0.3, 1, 0.62), 120, 10)
    fill(rectangle(0, 0.62, 1, 1), 105, 6, 2)
    for left in (0.02, 0.3, 0.72):
        fill(rectangle(left, 0.12, left + 0.06, 0.66), 170, 5)
    for bar in range(14):
        fill(rectangle(0.37 + bar * 0.025, 0.2, 0.376 + bar * 0.025, 0.64), 45, 1)
    tree = ((0.8, 0.0), (1.0, 0.0), (1.0, 0.55), (0.9, 0.5), (0.78, 0.25))
    fill(tree, 70, 26, 2.5)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.62, 0.32), near=(1.0, 0.62),
                 leaves=area(picture.shape, tree))


def bare_yard(width: int) -> Place:
    """Plain concrete and a plain wall: hardly any texture."""
    picture, _, fill = _drawn(12, width)
    fill(rectangle(0, 0, 1, 0.4), 165, 1.5, 20)
    fill(rectangle(0, 0.4, 1, 1), 135, 2, 30)
    fill(rectangle(0.6, 0.12, 0.72, 0.44), 85, 1)
    return Place(cv2.GaussianBlur(picture, (0, 0), 1), far=(0.42, 0.24), near=(1.0, 0.6))


def alley(width: int) -> Place:
    """A narrow way between houses: doors, cables, pots with plants, strong texture."""
    picture, rng, fill = _drawn(13, width)
    fill(((0, 0), (0.4, 0.3), (0.4, 0.5), (0, 1)), 95, 14, 2)
    fill(((1, 0), (0.6, 0.3), (0.6, 0.5), (1, 1)), 130, 12, 2)
    fill(((0, 1), (0.4, 0.5), (0.6, 0.5), (1, 1)), 85, 9, 2)
    fill(((0.1, 0.22), (0.22, 0.3), (0.22, 0.72), (0.1, 0.87)), 50, 3)
    fill(((0.74, 0.28), (0.82, 0.22), (0.82, 0.74), (0.74, 0.64)), 60, 3)
    pots = rectangle(0.84, 0.55, 0.98, 0.86)
    fill(pots, 75, 28, 2)
    for line in rng.uniform(0.05, 0.3, (6, 2)):
        ends = [(0, round(line[0] * picture.shape[0])), (picture.shape[1], round(line[1] * picture.shape[0]))]
        cv2.line(picture, *ends, 40.0, 1, cv2.LINE_AA)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.5, 0.17), near=(1.0, 0.8),
                 leaves=area(picture.shape, pots))


def room(width: int) -> Place:
    """A living room: sofa, shelf, television, door, patterned floor."""
    picture, _, fill = _drawn(14, width)
    fill(rectangle(0, 0, 1, 0.55), 150, 2, 20)
    fill(rectangle(0, 0.55, 1, 1), 100, 10, 4)
    fill(rectangle(0.08, 0.5, 0.46, 0.82), 75, 6)
    fill(rectangle(0.08, 0.66, 0.46, 0.84), 90, 6)
    fill(rectangle(0.86, 0.1, 0.98, 0.8), 190, 2)
    for shelf in range(4):
        fill(rectangle(0.52, 0.1 + shelf * 0.09, 0.66, 0.17 + shelf * 0.09), 70 + 25 * (shelf % 3), 25, 3)
    fill(rectangle(0.69, 0.28, 0.83, 0.46), 40, 1)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.6, 0.45), near=(1.0, 0.95))


def counter(width: int) -> Place:
    """A small shop: shelves full of goods, a counter in front."""
    picture, rng, fill = _drawn(15, width)
    for row in range(4):
        for column in range(16):
            left, top = column / 16, 0.02 + row * 0.14
            fill(rectangle(left, top, left + 0.055, top + 0.12), float(rng.uniform(60, 200)), 8, 3)
    fill(rectangle(0, 0.58, 1, 1), 120, 5, 4)
    fill(rectangle(0.0, 0.72, 0.55, 1), 80, 7)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.7, 0.48), near=(1.0, 0.8))


def street(width: int) -> Place:
    """A street from a balcony: house fronts, both pavements, the road between them, a dashed line."""
    picture, rng, fill = _drawn(16, width)
    fill(rectangle(0, 0, 1, 0.36), 140, 6)
    for left in np.linspace(0.02, 0.9, 9):
        fill(rectangle(left, 0.08, left + 0.06, 0.26), float(rng.uniform(50, 190)), 6)
    fill(rectangle(0, 0.36, 1, 0.46), 150, 5, 2)
    fill(rectangle(0, 0.46, 1, 0.9), 95, 5, 2)
    for left in np.linspace(0, 0.92, 8):
        fill(rectangle(left, 0.64, left + 0.06, 0.655), 190, 2)
    fill(rectangle(0, 0.9, 1, 1), 145, 6, 2)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.46, 0.1), near=(0.9, 0.24))


def junction(width: int) -> Place:
    """Where a side road, towards the camera, leaves a main one; a wall, a hedge, a crossing."""
    picture, _, fill = _drawn(17, width)
    fill(rectangle(0, 0, 1, 0.42), 165, 8)
    fill(rectangle(0.55, 0.1, 0.8, 0.4), 75, 8)
    fill(rectangle(0, 0.42, 1, 1), 125, 9, 2)
    fill(rectangle(0, 0.45, 1, 0.66), 80, 5, 2)
    fill(((0.36, 0.62), (0.62, 0.62), (1.0, 1.0), (0.42, 1.0)), 85, 5, 2)
    for left in np.linspace(0.38, 0.58, 5):
        fill(((left, 0.64), (left + 0.02, 0.64), (left + 0.05, 0.72), (left + 0.02, 0.72)), 205, 2)
    hedge = rectangle(0, 0.66, 0.3, 0.84)
    fill(hedge, 60, 22, 2)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.45, 0.1), near=(1.0, 0.36),
                 leaves=area(picture.shape, hedge))


def market(width: int) -> Place:
    """Shutters, stalls with goods, wet ground."""
    picture, rng, fill = _drawn(18, width)
    fill(rectangle(0, 0, 1, 0.5), 115, 4)
    for row in np.linspace(0.06, 0.3, 9):
        fill(rectangle(0.4, row, 0.9, row + 0.012), 80, 2)
    for left in np.linspace(0, 0.95, 14):
        fill(rectangle(left, 0.44, left + 0.05, 0.58), float(rng.uniform(50, 210)), 14, 3)
    fill(rectangle(0, 0.58, 1, 1), 90, 9, 5)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.6, 0.13), near=(1.0, 0.32))


def parlour(width: int) -> Place:
    """A front room: two chairs by a table, an altar, a window, tiles."""
    picture, _, fill = _drawn(19, width)
    fill(rectangle(0, 0, 1, 0.6), 170, 4, 25)
    fill(rectangle(0, 0.6, 1, 1), 120, 6, 3)
    for row in np.linspace(0.64, 0.96, 6):
        fill(rectangle(0, row, 1, row + 0.008), 90, 1)
    fill(rectangle(0.4, 0.1, 0.55, 0.42), 60, 12, 3)
    fill(rectangle(0.72, 0.08, 0.92, 0.4), 225, 3)
    for left in (0.17, 0.55):
        fill(rectangle(left, 0.44, left + 0.13, 0.74), 80, 5)
        fill(rectangle(left, 0.74, left + 0.15, 0.82), 65, 5)
    fill(rectangle(0.36, 0.66, 0.5, 0.7), 100, 3)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.6, 0.42), near=(1.0, 0.85))


def veranda(width: int) -> Place:
    """A veranda with a bench and pots, the garden behind it."""
    picture, _, fill = _drawn(20, width)
    fill(rectangle(0, 0, 1, 0.3), 190, 3, 30)
    garden = rectangle(0, 0.22, 1, 0.58)
    fill(garden, 85, 26, 2.5)
    fill(rectangle(0, 0.58, 1, 1), 140, 7, 2)
    for left in (0.08, 0.5, 0.9):
        fill(rectangle(left, 0.0, left + 0.04, 0.7), 205, 4)
    fill(rectangle(0.56, 0.66, 0.86, 0.72), 55, 4)
    for left in (0.58, 0.82):
        fill(rectangle(left, 0.72, left + 0.02, 0.84), 45, 2)
    pots = rectangle(0.2, 0.5, 0.28, 0.74)
    fill(pots, 65, 24, 2)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.62, 0.36), near=(1.0, 0.72),
                 leaves=np.maximum(area(picture.shape, garden), area(picture.shape, pots)))


def orchard(width: int) -> Place:
    """Trees in rows, a shed, a path."""
    picture, rng, fill = _drawn(21, width)
    fill(rectangle(0, 0, 1, 0.35), 175, 4, 30)
    fill(rectangle(0, 0.35, 1, 1), 110, 12, 2)
    fill(((0.4, 0.4), (0.5, 0.4), (0.75, 1.0), (0.25, 1.0)), 150, 7, 2)
    fill(rectangle(0.68, 0.2, 0.88, 0.5), 95, 5)
    crowns = [rectangle(left, top, left + 0.16, top + 0.34)
              for left, top in zip((0.02, 0.2, 0.5, 0.86), rng.uniform(0.1, 0.22, 4), strict=True)]
    for crown in crowns:
        fill(crown, float(rng.uniform(50, 90)), 26, 2.5)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.45, 0.15), near=(1.0, 0.5),
                 leaves=_green(picture, *crowns))


def avenue(width: int) -> Place:
    """A long straight road, seen along it: houses, pavements, a dashed line to the far end."""
    picture, rng, fill = _drawn(22, width)
    fill(rectangle(0, 0, 1, 0.3), 185, 2, 30)
    for side in (-1, 1):
        for near in np.linspace(0.9, 0.12, 7):
            inner, outer = 0.5 + side * (0.06 + 0.44 * near), 0.5 + side * (0.1 + 0.75 * near)
            fill(rectangle(min(inner, outer), 0.26 - 0.24 * near, max(inner, outer), 0.3 + 0.5 * near),
                 float(rng.uniform(80, 165)), 9, 2)
    fill(((0.47, 0.28), (0.53, 0.28), (1.25, 1.0), (-0.25, 1.0)), 140, 7, 2)
    fill(((0.48, 0.28), (0.52, 0.28), (1.0, 1.0), (0.0, 1.0)), 92, 5, 2)
    for far, near in zip(np.geomspace(0.05, 0.7, 7), 1.35 * np.geomspace(0.05, 0.7, 7), strict=True):
        fill(((0.5 - 0.01 * far, 0.28 + far * 0.72), (0.5 + 0.01 * far, 0.28 + far * 0.72),
              (0.5 + 0.01 * near, 0.28 + near * 0.72), (0.5 - 0.01 * near, 0.28 + near * 0.72)), 200, 2)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.36, 0.07), near=(1.0, 0.6))


def dyke(width: int) -> Place:
    """A road along a dyke: it comes from afar at the right and passes the camera; fields, poles, a far wood."""
    picture, _, fill = _drawn(24, width)
    fill(rectangle(0, 0, 1, 0.33), 195, 2, 40)
    fill(rectangle(0, 0.27, 1, 0.35), 75, 16, 3)
    fill(rectangle(0, 0.34, 1, 1), 125, 10, 3)
    fill(((0.74, 0.34), (0.79, 0.34), (0.62, 1.0), (-0.25, 1.0)), 150, 8, 2)
    fill(((0.75, 0.34), (0.78, 0.34), (0.5, 1.0), (-0.1, 1.0)), 95, 6, 2)
    for left, top, tall in ((0.8, 0.26, 0.12), (0.83, 0.22, 0.2), (0.9, 0.08, 0.46)):
        fill(rectangle(left, top, left + tall / 40, top + tall), 60, 1)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.6), far=(0.38, 0.065), near=(1.0, 0.5))


def terrace(width: int) -> Place:
    """A bright wall with a door and a window, slabs before it."""
    picture, _, fill = _drawn(23, width)
    fill(rectangle(0, 0, 1, 0.52), 205, 3, 12)
    fill(rectangle(0, 0.52, 1, 1), 175, 5, 3)
    for row in (0.57, 0.65, 0.76, 0.9):
        fill(rectangle(0, row, 1, row + 0.008), 140, 1)
    for left in np.linspace(-0.2, 1.1, 9):
        fill(((left, 0.52), (left + 0.005, 0.52), (1.5 * left - 0.24, 1), (1.5 * left - 0.25, 1)), 140, 1)
    fill(rectangle(0.12, 0.14, 0.24, 0.54), 90, 4)
    fill(rectangle(0.66, 0.12, 0.86, 0.36), 65, 6)
    return Place(cv2.GaussianBlur(picture, (0, 0), 0.7), far=(0.55, 0.34), near=(1.0, 0.62))


def darker(place: Place, gain: float, lift: float = 0.0, fall: float = 0.0) -> Place:
    """The place at night; `fall` is how much an infrared lamp's light falls off towards the corners (0..1)."""
    tall, wide = place.picture.shape
    y, x = np.mgrid[-1:1:tall * 1j, -1:1:wide * 1j].astype(np.float32)
    lamp = 1 - fall * np.minimum(1, (x ** 2 + y ** 2) / 1.6)
    night = (place.picture * gain + lift) * lamp
    return Place(np.clip(night, 3, 250).astype(np.float32), place.far, place.near, place.leaves, place.water)
