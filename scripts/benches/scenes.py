"""What the benches' cameras look at: a yard by a road as a cheap camera shows it, with a clock burnt into the picture.

The yard is the median of real footage, in colour. Two trees, the sensor's grain and the clock are added, and where a
film is to have them wind, and people and vehicles (tests/rigs/worlds). Numbers are seeded: a film is always the same.
"""
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from tests.rigs.cameras import footage
from tests.rigs.worlds import camera, weather
from tests.rigs.worlds.actors import Actor, Look, Way, auto, cut, folk, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Paint, Place, Stage, area, texture
from tests.rigs.worlds.street import STREET, traffic
from tests.rigs.worlds.ways import Spot, route

PLATE_PX, PLATE_FROM_N = (768, 576), 40
GRAIN = 2.2                 # of the sensor, in grey levels at mid-grey
WIND_PX = 1.6               # how far leaves sway in a gust, at 320 pixels
CLOCK_S = 1_790_000_000     # what the clock in the picture says first
FILM_S = 60
EMPTY_S, SHOWN_S = 6, 6     # before each visit; each is over by then
SHOWS_LEVELS, SHOWS_PX = 8, 4       # a picture shows a visitor if so many pixels differ by more than this
TREES = (((0.0, 0.0), (0.16, 0.0), (0.2, 0.18), (0.1, 0.34), (0.0, 0.36)),
         ((0.3, 0.0), (0.46, 0.0), (0.45, 0.14), (0.38, 0.2), (0.31, 0.13)))
WALKERS = ("coat", "red", "jeans", "stooped", "hood", "phone")


class Visit(NamedTuple):
    """A kind of visitor: the look, the way (feet, fractions of the picture), the speed in heights of a person a second.

    The look is made when a film needs it: the first walker that is cut out takes seconds and a gigabyte.
    """

    kind: str
    look: Callable[[], Look]
    way: tuple[Spot, ...]
    speed: float


# Of 360 lines a near person has 100 and a far one 50. The slow ones have not left after SHOWN_S; they vanish.
VISITS = (
    Visit("a near person", lambda: cut("coat"), ((-0.06, 0.93), (1.06, 0.93)), 1.1),
    Visit("a far person", lambda: cut("red"), ((1.04, 0.36), (0.3, 0.36)), 1.0),
    Visit("a car that approaches", lambda: auto(190), ((1.05, 0.12), (0.7, 0.3), (0.4, 1.3)), 1.6),
    Visit("a car that leaves", lambda: auto(60), ((-0.15, 0.62), (0.5, 0.45), (1.1, 0.12)), 1.6),
    Visit("a car that crosses in 3 s", lambda: auto(150), ((1.15, 0.5), (-0.15, 0.5)), 4.4),
    Visit("a two-wheeler", lambda: rider(Clothes(180, 60), 120), ((-0.1, 0.55), (1.1, 0.55)), 3.2))
VISITORS_S = len(VISITS) * (EMPTY_S + SHOWN_S)


class Yard(NamedTuple):
    """The place, and its colours (the two chroma planes of I420)."""

    place: Place
    chroma: np.ndarray


def plate(wide: int, tall: int) -> np.ndarray:
    """The footage's place without its people: each pixel's median, I420."""
    pictures = list(footage.frames(wide, tall))
    return np.median(pictures[::max(1, len(pictures) // PLATE_FROM_N)], axis=0).astype(np.uint8)


def yard(wide: int, tall: int) -> Yard:
    """The empty yard with its trees."""
    colour = cv2.cvtColor(plate(*PLATE_PX), cv2.COLOR_YUV2BGR_I420)
    kept = PLATE_PX[0] * tall // wide
    top = (PLATE_PX[1] - kept) // 2
    colour = cv2.resize(colour[top:top + kept], (wide, tall), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    rng = np.random.default_rng(31)
    leaves = np.maximum.reduce([area((tall, wide), outline, wide / 320) for outline in TREES])
    unit = wide / 320
    crown = 75 + texture(rng, (tall, wide), 2.5 * unit, 24) + texture(rng, (tall, wide), 12 * unit, 14)
    green = np.stack([crown * 0.7, crown * 1.1, crown * 0.75], axis=2)
    colour += leaves[:, :, None] * (green - colour)
    i420 = cv2.cvtColor(np.clip(colour, 0, 255).astype(np.uint8), cv2.COLOR_BGR2YUV_I420)
    return Yard(Place(i420[:tall].astype(np.float32), far=(0.1, 0.1), near=(0.95, 0.28), leaves=leaves), i420[tall:])


def calm(wide: int, tall: int, fps: int) -> Iterator[np.ndarray]:
    """Nobody, and no wind."""
    return _shown(yard(wide, tall), fps, FILM_S, (), wind=False)


def street(wide: int, tall: int, fps: int) -> Iterator[np.ndarray]:
    """Nobody; wind in the trees."""
    return _shown(yard(wide, tall), fps, FILM_S, (), wind=True)


def people(wide: int, tall: int, fps: int) -> Iterator[np.ndarray]:
    """People and vehicles come and go nearly all the time; wind."""
    made = yard(wide, tall)
    walks = [Actor(cut(name) if number % 3 else folk(Clothes(200, 50)),
                   route(made.place, 2 + 9 * number, *_lane(number), speed=1.1), shadow=0.3)
             for number, name in enumerate(WALKERS)]
    rides = traffic(Stage(made.place, 77), STREET)
    return _shown(made, fps, FILM_S, [*walks, *rides], wind=True)


def visitors(wide: int, tall: int, fps: int) -> Iterator[np.ndarray]:
    """One visit of each kind after the other; wind."""
    made = yard(wide, tall)
    return _shown(made, fps, VISITORS_S, visiting(made.place), wind=True)


def visiting(place: Place) -> list[Actor]:
    """The visitors in their order; each comes EMPTY_S after the one before must be gone."""
    actors = []
    for number, visit in enumerate(VISITS):
        begins_s = number * (EMPTY_S + SHOWN_S) + EMPTY_S
        way = route(place, begins_s, *visit.way, speed=visit.speed)
        actors.append(Actor(visit.look(), _until(way, begins_s + SHOWN_S), shadow=0.3))
    return actors


def _until(way: Way, end_s: float) -> Way:
    return lambda t_s: way(t_s) if t_s < end_s else None


def onsets(wide: int, tall: int, fps: int) -> dict[int, str]:
    """The number of the first picture of `visitors` in which each visitor shows, and the visitor's kind."""
    place = yard(wide, tall).place
    actors, found = visiting(place), {}
    for actor, visit in zip(actors, VISITS, strict=True):
        for number in range(VISITORS_S * fps):
            if _shows(actor, place.picture, number / fps):
                found[number] = visit.kind
                break
    return found


def _shows(actor: Actor, empty: np.ndarray, t_s: float) -> bool:
    if (patch := actor.patch(t_s, empty.shape)) is None:
        return False
    with_it = empty.copy()
    patch.put(with_it)
    return int((np.abs(with_it - empty) > SHOWS_LEVELS).sum()) >= SHOWS_PX


def _lane(number: int) -> tuple[Spot, ...]:
    lane = ((-0.05, 0.55 + 0.07 * (number % 5)), (1.05, 0.6 + 0.06 * (number % 4)))
    return lane[::1 if number % 2 else -1]


def _shown(made: Yard, fps: int, seconds: int, actors: Sequence[Actor], wind: bool) -> Iterator[np.ndarray]:
    """Pictures as uint8 I420 of shape (height * 3 / 2, width)."""
    stage = Stage(made.place, 41)
    paints: list[Paint] = [weather.gusts(stage, WIND_PX)] if wind else []
    grain = camera.noise(stage, GRAIN, 0.5, 0.3)
    for number in range(seconds * fps):
        t_s = number / fps
        picture = made.place.picture.copy()
        for paint in paints:
            picture = paint(picture, t_s)
        for patch in filter(None, (actor.patch(t_s, picture.shape) for actor in actors)):
            patch.put(picture)
        picture = np.clip(grain(picture, t_s), 0, 255).astype(np.uint8)
        _clock(picture, t_s)
        yield np.vstack([picture, made.chroma])


def _clock(picture: np.ndarray, t_s: float) -> None:
    """As cameras write it: white with a black edge, in the upper left corner; it ticks every second."""
    text = time.strftime("%Y-%m-%d %a %H:%M:%S", time.gmtime(CLOCK_S + int(t_s)))
    unit = picture.shape[1] / 640
    at = round(10 * unit), round(24 * unit)
    for level, thick in ((0, 4), (255, 1.5)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6 * unit, level, max(1, round(thick * unit)),
                    cv2.LINE_AA)
