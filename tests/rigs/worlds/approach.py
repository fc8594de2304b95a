"""Worlds in perspective: straight on and straight away, far and small, under a burnt-in clock."""
from collections.abc import Sequence

import numpy as np

from tests.rigs.worlds import burnt, camera, frontal, light, places, weather
from tests.rigs.worlds.actors import Actor, auto, cut, cyclist, folk, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.places import darker
from tests.rigs.worlds.stage import Paint, Place, Stage
from tests.rigs.worlds.street import DARK
from tests.rigs.worlds.ways import route, straight
from tests.rigs.worlds.world import World

SECONDS = 55
FAR_PX = 14                 # somebody 8 pixels tall counts
FAR_RIGHT, NEAR_RIGHT = (0.513, 0.34), (1.7, 4.5)       # the avenue's lanes, from the far end to past the camera
FAR_LEFT, NEAR_LEFT = (0.487, 0.34), (-0.7, 4.5)
DYKE_FAR, DYKE_NEAR = (0.765, 0.35), (-0.62, 2.7)


def _film(stage: Stage, tags: str, actors: Sequence[Actor], *over: Paint, kbps: int = 330) -> World:
    return World(stage, tags, SECONDS, actors=actors, over=over, faint=10, kbps=kbps)


def _distant(place: Place, tall: float, y: float) -> Place:
    """The same seen from further away: people are so tall at the far `y`."""
    return Place(place.picture, far=(y, tall), near=(0.9, 4.6 * tall))


def _clocked(stage: Stage, tags: str, actors: Sequence[Actor], *over: Paint, kbps: int = 330) -> World:
    """With a clock at the top, a name and a logo."""
    world = _film(stage, f"clock {tags}", actors, *over, camera.noise(stage, 1.5), burnt.clock(stage, 0.02, 0.07),
                  burnt.name(stage, "CAMERA 01", 0.7, 0.96), burnt.logo(stage, 0.93, 0.09), kbps=kbps)
    world.real_px = FAR_PX
    return world


def _glare(stage: Stage, actors: Sequence[Actor]) -> Paint:
    """Headlights that look into the lens, and the road before them."""
    down, right = np.mgrid[:stage.height, :stage.width].astype(np.float32)

    def spot(x: float, y: float, radius: float) -> np.ndarray:
        return np.exp(-((right - x) ** 2 + (down - y) ** 2) / radius ** 2)

    def shine(picture: np.ndarray, t_s: float) -> np.ndarray:
        for pose in filter(None, (actor.way(t_s) for actor in actors)):
            tall, x, y = pose.tall * stage.height, pose.x * stage.width, pose.y * stage.height
            picture = picture * (1 + 1.2 * spot(x, y + 0.5 * tall, 1.3 * tall)) + 170 * spot(
                x, y - 0.45 * tall, 0.3 * tall + 3 * stage.unit)
        return picture

    return shine


def avenue_straight_riders() -> World:
    """Two-wheelers come straight on and leave straight away, slow and fast."""
    place = places.avenue(320)
    stage = Stage(place, 831)
    return _film(stage, "straight", [
        Actor(frontal.rider_ahead(Clothes(90, 50)), straight(place, 6, 6, FAR_LEFT, NEAR_LEFT), shadow=0.3),
        Actor(frontal.rider_ahead(Clothes(160, 70), 60), straight(place, 17, 7, NEAR_RIGHT, FAR_RIGHT), shadow=0.3),
        Actor(frontal.rider_ahead(Clothes(50, 40)), straight(place, 29, 4, FAR_LEFT, NEAR_LEFT), shadow=0.3),
        Actor(frontal.rider_ahead(Clothes(200, 90), 60), straight(place, 38, 11, NEAR_RIGHT, FAR_RIGHT), shadow=0.3)],
        weather.clouds(stage, 0.15), camera.noise(stage, 1.5))


def avenue_straight_cars() -> World:
    """Cars come straight on and leave; a motorbike rides beside one."""
    place = places.avenue(640)
    stage = Stage(place, 832)
    return _film(stage, "straight", [
        Actor(frontal.auto_ahead(60), straight(place, 6, 7, FAR_LEFT, NEAR_LEFT), shadow=0.3),
        Actor(frontal.auto_ahead(190, 60), straight(place, 18, 6, NEAR_RIGHT, FAR_RIGHT), shadow=0.3),
        Actor(frontal.auto_ahead(150), straight(place, 31, 8, FAR_LEFT, NEAR_LEFT), shadow=0.3),
        Actor(frontal.rider_ahead(Clothes(60, 40)), straight(place, 31.6, 8, (0.505, 0.34), (0.9, 4.5)), shadow=0.3),
        Actor(frontal.auto_ahead(45, 60), straight(place, 44, 4, NEAR_RIGHT, FAR_RIGHT), shadow=0.3)],
        camera.noise(stage, 1.5))


def avenue_straight_walkers() -> World:
    """People walk and run straight towards the camera, and one away from it."""
    place = places.avenue(320)
    stage = Stage(place, 833)
    return _film(stage, "straight", [
        Actor(cut("waiting"), straight(place, 5, 18, FAR_LEFT, NEAR_LEFT), shadow=0.3),
        Actor(folk(Clothes(60, 40)), straight(place, 26, 8, FAR_RIGHT, NEAR_RIGHT), shadow=0.3),
        Actor(cut("jeans"), straight(place, 37, 16, NEAR_RIGHT, FAR_RIGHT), shadow=0.3)],
        camera.noise(stage, 2.5, 0.5, 0.3), kbps=220)


def avenue_lights_night() -> World:
    """At night, with headlights straight into the lens; then a rider without."""
    place = darker(places.avenue(320), 0.3, 3)
    stage = Stage(place, 834)
    lit = [Actor(frontal.auto_ahead(60, 255), straight(place, 7, 7, FAR_LEFT, NEAR_LEFT), **DARK),
           Actor(frontal.rider_ahead(Clothes(90), 255), straight(place, 22, 6, FAR_LEFT, NEAR_LEFT), **DARK)]
    dark = Actor(frontal.rider_ahead(Clothes(180, 90), 60), straight(place, 37, 7, NEAR_RIGHT, FAR_RIGHT), **DARK)
    return _film(stage, "straight night", [*lit, dark], _glare(stage, lit), camera.noise(stage, 3, 0.7, 0.3))


def street_clock_far() -> World:
    """A clock and a logo; people 8 pixels tall at 320, cars that cross in three seconds."""
    place = _distant(places.street(640), 0.044, 0.4)
    return _clocked(Stage(place, 835), "far", [
        Actor(cut("coat"), route(place, 6, (-0.02, 0.42), (0.35, 0.42), speed=1.2)),
        Actor(auto(60), route(place, 20, (-0.2, 0.72), (1.2, 0.72), speed=5.6), shadow=0.3),
        Actor(cut("pair"), route(place, 27, (1.02, 0.43), (0.6, 0.43), speed=1.1)),
        Actor(auto(200), route(place, 41, (1.2, 0.82), (-0.2, 0.82), speed=5.0), shadow=0.3),
        Actor(rider(Clothes(60)), route(place, 47, (1.1, 0.48), (-0.1, 0.48), speed=6), shadow=0.3)])


def street_clock_small() -> World:
    """A clock, a low bit rate; small two-wheelers cross far away, and a car beside a motorbike."""
    place = _distant(places.street(320), 0.05, 0.4)
    return _clocked(Stage(place, 836), "far", [
        Actor(rider(Clothes(50)), route(place, 6, (-0.05, 0.48), (1.05, 0.48), speed=6)),
        Actor(cyclist(Clothes(190)), route(place, 17, (1.05, 0.5), (0.2, 0.5), speed=3)),
        Actor(auto(170), route(place, 32, (-0.2, 0.72), (1.2, 0.72), speed=4), shadow=0.3),
        Actor(rider(Clothes(60, 40)), route(place, 32.3, (-0.1, 0.8), (1.15, 0.8), speed=4.2), shadow=0.3),
        Actor(rider(Clothes(200)), route(place, 44, (1.05, 0.46), (-0.05, 0.46), speed=8))], kbps=200)


def dyke_straight_all() -> World:
    """They come straight on and leave; one walks towards the camera, far ones cross."""
    place = places.dyke(320)
    stage = Stage(place, 881)
    return _film(stage, "straight", [
        Actor(frontal.rider_ahead(Clothes(70, 50)), straight(place, 6, 6, DYKE_FAR, DYKE_NEAR), shadow=0.3),
        Actor(rider(Clothes(180, 60)), route(place, 16, (-0.05, 0.42), (1.05, 0.42), speed=7), shadow=0.3),
        Actor(frontal.auto_ahead(200, 60), straight(place, 25, 5, DYKE_NEAR, DYKE_FAR), shadow=0.3),
        Actor(folk(Clothes(50)), straight(place, 32, 16, (0.755, 0.35), (-1.2, 2.7)), shadow=0.3),
        Actor(cyclist(Clothes(80)), route(place, 50, (1.05, 0.6), (0.1, 0.6), speed=4), shadow=0.3)],
        weather.clouds(stage, 0.2), camera.noise(stage, 1.5), kbps=600)


def dyke_straight_dusk() -> World:
    """It grows dark; a car and a motorbike beside it come straight on, a rider leaves, somebody comes on foot."""
    place = places.dyke(640)
    stage = Stage(place, 882)
    return _film(stage, "straight dusk", [
        Actor(frontal.auto_ahead(70, 200), straight(place, 7, 7, DYKE_FAR, DYKE_NEAR), gain=0.85, blur=0.3),
        Actor(frontal.rider_ahead(Clothes(150), 200), straight(place, 7.6, 7, (0.775, 0.35), (0.5, 2.7)), gain=0.85,
              blur=0.3),
        Actor(frontal.rider_ahead(Clothes(60), 40), straight(place, 25, 7, DYKE_NEAR, DYKE_FAR), gain=0.6, blur=0.3),
        Actor(cut("hood"), straight(place, 36, 18, (0.755, 0.35), (-1.5, 2.7)), gain=0.5, blur=0.3)],
        light.steps_of_dusk(stage, SECONDS, 0.45), camera.noise(stage, 2.5, 0.6, 0.3))


def market_clock_rain() -> World:
    """A clock in the rain: people far away, one under an umbrella, a car in three seconds."""
    place = _distant(places.market(320), 0.045, 0.55)
    stage = Stage(place, 883)
    return _clocked(stage, "far rain", [
        Actor(folk(Clothes(220, 140)), route(place, 6, (1.02, 0.63), (0.65, 0.63), speed=1.2)),
        Actor(frontal.sheltered(Clothes(40, 30), 190), route(place, 22, (-0.06, 0.85), (0.5, 0.8), speed=1.0,
                                                        size=frontal.SHELTERED)),
        Actor(auto(190), route(place, 41, (1.2, 0.85), (-0.25, 0.85), speed=4.2))], weather.rain(stage, 40, 26, 0.06))


def market_clock_only() -> World:
    """A clock, a logo, awnings in the wind, a low bit rate; nobody."""
    stage = Stage(places.market(640), 884)
    world = _clocked(stage, "cloth", (), kbps=220)
    world.scene = [weather.cloth(stage, 0.1, 0.2, 0.2, 0.16, 170)]
    return world


FITTED = {world.__name__: world for world in (
    avenue_straight_riders, avenue_straight_cars, avenue_straight_walkers, avenue_lights_night, street_clock_far,
    street_clock_small)}
JUDGED = {world.__name__: world for world in (
    dyke_straight_all, dyke_straight_dusk, market_clock_rain, market_clock_only)}
