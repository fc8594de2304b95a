"""Walkers cut out of vtest.avi: what differs from the median of the film, in sequences that can be repeated."""
from functools import cache
from typing import NamedTuple

import av
import cv2
import numpy as np

from tests.rigs.cameras import footage


class Sprite(NamedTuple):
    """One picture of somebody, feet at the bottom: grey levels and how much they cover (0..1), of equal shape."""

    grey: np.ndarray
    cover: np.ndarray


class _Sighting(NamedTuple):
    """Where in the film somebody walks alone: pictures, where the feet are in the first, and which way they face."""

    first: int
    pictures_n: int
    feet: tuple[int, int]
    faces: int


SIGHTINGS = {
    "coat": _Sighting(96, 44, (595, 244), 1),
    "red": _Sighting(738, 30, (627, 175), 1),
    "jeans": _Sighting(752, 29, (664, 317), -1),
    "stooped": _Sighting(443, 16, (314, 293), 1),
    "hood": _Sighting(651, 20, (649, 276), -1),
    "phone": _Sighting(634, 20, (126, 211), 1),
    "pair": _Sighting(248, 53, (659, 187), -1),
    "waiting": _Sighting(535, 48, (652, 382), 1),
    "talking": _Sighting(535, 51, (632, 274), 1),
}
FIRM = 26, 52               # differences from the median that are nobody, and somebody
REACH_PX = 120              # half the window around the feet
CYCLE = 8                   # pictures that a sequence has at least


class Film(NamedTuple):
    """The whole film in colour, and what it shows when nobody is there."""

    pictures: list[np.ndarray]
    empty: np.ndarray


@cache
def film() -> Film:
    """vtest.avi, read once. Raises OSError if only the generated scene is there."""
    path = footage.original()
    if path.suffix != ".avi":
        raise FileNotFoundError("worlds need vtest.avi out of Debian's opencv-doc; is there a network, and apt-get?")
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return Film(pictures, np.median(np.stack(pictures[::25]), axis=0).astype(np.uint8))


@cache
def walker(name: str) -> tuple[Sprite, ...]:
    """Somebody's steps, facing right, to be repeated; all have the same shape."""
    seen = SIGHTINGS[name]
    feet, sprites = seen.feet, []
    for number in range(seen.first, seen.first + seen.pictures_n):
        sprite, feet = _cut(number, feet)
        sprites.append(sprite if seen.faces > 0 else Sprite(*(np.fliplr(half) for half in sprite)))
    return tuple(_cycle(sprites))


def _cut(number: int, feet: tuple[int, int]) -> tuple[Sprite, tuple[int, int]]:
    """Who stands nearest to `feet`, and where their feet are."""
    pictures, empty = film()
    window = np.s_[max(0, feet[1] - 2 * REACH_PX):feet[1] + 20, max(0, feet[0] - REACH_PX):feet[0] + REACH_PX]
    corner = max(0, feet[0] - REACH_PX), max(0, feet[1] - 2 * REACH_PX)
    apart = cv2.absdiff(pictures[number][window], empty[window]).max(axis=2)
    body = cv2.morphologyEx((cv2.GaussianBlur(apart, (0, 0), 1) > 22).astype(np.uint8), cv2.MORPH_CLOSE,
                            np.ones((7, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(body)
    best = min(range(1, len(stats)), key=lambda k: _distance(stats[k], feet, corner))
    x, y, w, h, _ = stats[best].tolist()
    mine = cv2.dilate((labels == best).astype(np.uint8), np.ones((3, 3), np.uint8))[y:y + h, x:x + w]
    cover = np.clip((apart[y:y + h, x:x + w].astype(np.float32) - FIRM[0]) / (FIRM[1] - FIRM[0]), 0, 1) * mine
    grey = cv2.cvtColor(pictures[number][window], cv2.COLOR_BGR2GRAY)[y:y + h, x:x + w].astype(np.float32)
    ground = cv2.erode(grey, np.ones((3, 3), np.uint8))         # the film's pale ground shines through at the edges
    return Sprite(np.where(cover > 0.95, grey, ground), cover), (corner[0] + x + w // 2, corner[1] + y + h)


def _distance(stats: np.ndarray, feet: tuple[int, int], corner: tuple[int, int]) -> float:
    x, y, w, h, _ = stats.tolist()
    too_small = 1000 if h < 48 else 0
    return abs(corner[0] + x + w / 2 - feet[0]) + abs(corner[1] + y + h - feet[1]) + too_small


def _cycle(sprites: list[Sprite]) -> list[Sprite]:
    """The longest stretch whose end leads best into its beginning, everybody scaled to the same height."""
    tall = max(sprite.grey.shape[0] for sprite in sprites)
    wide = max(round(s.grey.shape[1] * tall / s.grey.shape[0]) for s in sprites) + 2
    level = [Sprite(*(_centred(half, tall, wide) for half in sprite)) for sprite in sprites]
    pairs = [(a, b) for a in range(len(level)) for b in range(a + CYCLE, len(level))]
    first, last = min(pairs, key=lambda pair: float(np.abs(level[pair[0]].cover - level[pair[1]].cover).mean())
                      - 0.002 * (pair[1] - pair[0]))
    return level[first:last]


def _centred(picture: np.ndarray, tall: int, wide: int) -> np.ndarray:
    size = round(picture.shape[1] * tall / picture.shape[0]), tall
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    room = wide - scaled.shape[1]
    return np.pad(scaled, ((0, 0), (room // 2, room - room // 2)))
