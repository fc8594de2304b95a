"""Streets: two-wheelers and cars at a street's speeds and distances; and moths and drops before an infrared lamp.

Half of these worlds are there to tune the detector, half to judge it: no place and no seed is in both.
"""
from collections.abc import Callable, Sequence

import numpy as np

from tests.rigs.worlds import bugs, camera, light, places, weather
from tests.rigs.worlds.actors import Actor, Look, auto, cyclist, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.places import darker
from tests.rigs.worlds.stage import Paint, Place, Stage
from tests.rigs.worlds.ways import Spot, route
from tests.rigs.worlds.world import World

SECONDS = 40
APART_S = 2.6, 4.0          # between two vehicles: each is an event of its own
DARK = {"gain": 0.4, "lift": 3.0, "blur": 0.4}
INFRARED_LAMP = 0.3, 6, 0.5

Lane = tuple[Spot, ...]
Drawn = Callable[[np.random.Generator, float], Look]

# How it looks, its speed in heights of a person a second (4 are 24 km/h), and how often it comes.
VEHICLES: tuple[tuple[Drawn, float, float, float], ...] = (
    (lambda rng, lights: rider(Clothes(float(rng.uniform(30, 220)), float(rng.uniform(30, 120))), lights), 4, 7.5, 0.6),
    (lambda rng, lights: cyclist(Clothes(float(rng.uniform(40, 200)))), 2.2, 3.5, 0.15),
    (lambda rng, lights: auto(float(rng.uniform(40, 220)), lights), 4, 8, 0.25))


def traffic(stage: Stage, lanes: Sequence[Lane], lights: float = 100, **how: float) -> list[Actor]:
    """One vehicle after the other, each on one of the lanes, to or fro; `how` is the actors' light and blur."""
    rng, start_s, actors = stage.rng, 5.0, []
    while start_s < SECONDS - 3:
        lane = lanes[rng.integers(len(lanes))][::1 if rng.random() < 0.5 else -1]
        drawn, slowest, fastest, _ = VEHICLES[rng.choice(len(VEHICLES), p=[each[-1] for each in VEHICLES])]
        way = route(stage.place, start_s, *lane, speed=float(rng.uniform(slowest, fastest)))
        actors.append(Actor(drawn(rng, lights), way, **how))
        start_s = way.ends_s + float(rng.uniform(*APART_S))
    return actors


def beams(stage: Stage, actors: Sequence[Actor], gain: float = 1.0) -> Paint:
    """Each vehicle's lamp, and the road that it lights."""
    down, right = np.mgrid[:stage.height, :stage.width].astype(np.float32)

    def spot(x: float, y: float, radius: float) -> np.ndarray:
        return np.exp(-((right - x) ** 2 + 3 * (down - y) ** 2) / radius ** 2)

    def shine(picture: np.ndarray, t_s: float) -> np.ndarray:
        for pose in filter(None, (actor.way(t_s) for actor in actors)):
            tall, x, y = pose.tall * stage.height, pose.x * stage.width, pose.y * stage.height
            road = spot(x + 1.8 * pose.faces * tall, y, 1.5 * tall)
            lamp = spot(x + 0.4 * pose.faces * tall, y - 0.5 * tall, 0.25 * tall)
            picture = picture * (1 + gain * road) + 8 * road + 120 * lamp
        return picture

    return shine


def _world(stage: Stage, tags: str, actors: Sequence[Actor], *over: Paint, full_range: bool = False) -> World:
    return World(stage, tags, SECONDS, actors=actors, over=over, faint=10, full_range=full_range)


def _moths(place: Place, seed: int) -> World:
    stage = Stage(darker(place, *INFRARED_LAMP), seed)
    return _world(stage, "infrared moths", (), bugs.lens_moths(stage, 22, seconds=SECONDS),
                  bugs.far_insects(stage, 25, seconds=SECONDS), camera.noise(stage, 3, 0.7, 0.4))


def _drops(place: Place, seed: int) -> World:
    stage = Stage(darker(place, *INFRARED_LAMP), seed)
    return _world(stage, "infrared rain drops", (), weather.rain(stage, 40, 80), weather.drops(stage, 7, SECONDS),
                  bugs.lens_moths(stage, 5, seconds=SECONDS), camera.noise(stage, 3.5, 0.7, 0.4))


STREET = (((-0.1, 0.56), (1.1, 0.56)), ((-0.12, 0.7), (1.12, 0.7)), ((-0.15, 0.84), (1.15, 0.86)))
KERB = (((-0.12, 0.2), (1.15, 0.4)), ((-0.15, 0.45), (1.15, 0.6)))
JUNCTION = (((-0.08, 0.5), (1.08, 0.5)), ((-0.1, 0.62), (1.1, 0.6)),
            ((-0.08, 0.5), (0.45, 0.53), (0.62, 0.85), (0.72, 1.3)))
MARKET = (((-0.1, 0.72), (1.1, 0.72)), ((-0.15, 0.86), (1.15, 0.84)))


def tune_street_day() -> World:
    """By day, clouds."""
    stage = Stage(places.street(320), 501)
    return _world(stage, "traffic", traffic(stage, STREET, shadow=0.4), weather.clouds(stage, 0.2),
                  camera.noise(stage, 1.5))


def tune_street_rain() -> World:
    """In the rain."""
    stage = Stage(places.street(320), 502)
    return _world(stage, "traffic rain", traffic(stage, STREET), weather.rain(stage, 60, 28, 0.06),
                  camera.noise(stage, 2))


def tune_street_lights() -> World:
    """At night, with headlights."""
    stage = Stage(darker(places.street(320), 0.3, 3), 503)
    actors = traffic(stage, STREET, 255, **DARK)
    return _world(stage, "traffic night", actors, beams(stage, actors), camera.noise(stage, 3, 0.7, 0.3))


def tune_kerb_dusk() -> World:
    """At dusk, without lights."""
    stage = Stage(darker(places.kerb(320), 0.5), 504)
    return _world(stage, "traffic dusk", traffic(stage, KERB, gain=0.6, blur=0.3), camera.noise(stage, 3, 0.6, 0.3))


def tune_kerb_moths_only() -> World:
    """Moths before the lens."""
    return _moths(places.kerb(320), 505)


def tune_street_drops_only() -> World:
    """Drops before the lens and on it."""
    return _drops(places.street(320), 506)


def junction_day() -> World:
    """By day, some turn off; the camera's video has full range."""
    stage = Stage(places.junction(640), 551)
    return _world(stage, "traffic full_range", traffic(stage, JUNCTION, shadow=0.4), camera.noise(stage, 1.5),
                  full_range=True)


def junction_dusk() -> World:
    """It grows dark; some have no lights."""
    stage = Stage(places.junction(320), 552)
    return _world(stage, "traffic dusk", traffic(stage, JUNCTION, gain=0.9, blur=0.3),
                  light.steps_of_dusk(stage, SECONDS, 0.4), camera.noise(stage, 2.5, 0.6, 0.3))


def junction_lights() -> World:
    """At night, with headlights."""
    stage = Stage(darker(places.junction(320), 0.3, 3), 553)
    actors = traffic(stage, JUNCTION, 255, **DARK)
    return _world(stage, "traffic night", actors, beams(stage, actors), camera.noise(stage, 3, 0.7, 0.3))


def market_rain() -> World:
    """Rain, and awnings in the wind."""
    stage = Stage(places.market(320), 554)
    return World(stage, "traffic rain cloth", SECONDS, faint=10, actors=traffic(stage, MARKET),
                 scene=[weather.cloth(stage, 0.1, 0.2, 0.2, 0.16, 170)],
                 over=[weather.rain(stage, 50, 28, 0.06), camera.noise(stage, 2)])


def market_dark() -> World:
    """At night, without lights."""
    stage = Stage(darker(places.market(640), 0.4, 3), 555)
    return _world(stage, "traffic night", traffic(stage, MARKET, gain=0.55, blur=0.4), camera.noise(stage, 3, 0.7, 0.3))


def junction_moths_only() -> World:
    """Moths before the lens."""
    return _moths(places.junction(640), 556)


def market_drops_only() -> World:
    """Drops before the lens and on it."""
    return _drops(places.market(320), 557)


TUNING = {world.__name__: world for world in (
    tune_street_day, tune_street_rain, tune_street_lights, tune_kerb_dusk, tune_kerb_moths_only,
    tune_street_drops_only)}
JUDGED = {world.__name__: world for world in (
    junction_day, junction_dusk, junction_lights, market_rain, market_dark, junction_moths_only, market_drops_only)}
