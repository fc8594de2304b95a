"""Worlds in snow, by day and in infrared: with walkers and vehicles, and with nobody."""
from collections.abc import Sequence

from tests.rigs.worlds import camera, frontal, places
from tests.rigs.worlds.actors import Actor, auto, cut, folk, hound, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.night import INFRARED
from tests.rigs.worlds.places import darker
from tests.rigs.worlds.snow import snow, snowed
from tests.rigs.worlds.stage import Place, Stage
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World

SECONDS = 50
LIGHT, MEDIUM, HEAVY = (25, 10, 2, 0), (110, 40, 9, 1), (240, 90, 22, 4)       # flakes: far, middle, near, at the lens
INFRARED_LEVEL = 250


def _by_day(place: Place, seed: int, flakes: Sequence[int], actors: Sequence[Actor] = (), wind: float = 0.3,
            haze: float = 0.0, kbps: int = 330) -> World:
    stage = Stage(place, seed)
    return World(stage, "snow", SECONDS, actors=actors, kbps=kbps, over=[
        snow(stage, *flakes, wind=wind, haze=haze), camera.noise(stage, 1.5)])


def _in_infrared(place: Place, seed: int, flakes: Sequence[int], actors: Sequence[Actor] = (), wind: float = 0.3,
                 kbps: int = 330) -> World:
    stage = Stage(place, seed)
    return World(stage, "snow infrared", SECONDS, actors=actors, faint=10, kbps=kbps, over=[
        snow(stage, *flakes, level=INFRARED_LEVEL, wind=wind), camera.noise(stage, 3, 0.7, 0.4)])


def lane_snow_light() -> World:
    """Light snow by day; a walker, then two."""
    place = snowed(places.lane(640))
    return _by_day(place, 801, LIGHT, [
        Actor(cut("coat"), route(place, 8, (-0.05, 0.9), (0.5, 0.8), (1.06, 0.9), speed=1.0)),
        Actor(cut("pair"), route(place, 30, (1.06, 0.7), (0.4, 0.75), (-0.08, 0.8), speed=0.9))])


def lane_snow_heavy() -> World:
    """A snowstorm by day; somebody under an umbrella, later a car."""
    place = snowed(places.lane(320))
    walks = route(place, 7, (1.08, 0.9), (0.4, 0.85), (-0.1, 0.95), speed=0.8, size=frontal.SHELTERED)
    return _by_day(place, 802, HEAVY, [
        Actor(frontal.sheltered(Clothes(70, 40)), walks),
        Actor(auto(60), route(place, 36, (-0.3, 0.8), (1.3, 0.75), speed=2.5))], wind=0.7, haze=0.2, kbps=500)


def lane_snow_medium_only() -> World:
    """Snow by day, nobody."""
    return _by_day(snowed(places.lane(320)), 803, MEDIUM)


def kerb_sleet_heavy() -> World:
    """Infrared in a snowstorm: a walker who stops, and a motorbike."""
    place = darker(snowed(places.kerb(320)), 0.35, 4, 0.5)
    comes = route(place, 7, (1.04, 0.85), (0.5, 0.8), Stand(4, 0.8), (-0.1, 0.9), speed=1.0)
    return _in_infrared(place, 804, HEAVY, [
        Actor(folk(Clothes(40, 30)), comes, gain=0.7, blur=0.4),
        Actor(rider(Clothes(60), 240), route(place, 36, (-0.15, 0.35), (1.15, 0.45), speed=3.5), gain=0.7, blur=0.4)])


def kerb_sleet_medium() -> World:
    """Infrared in snow: somebody runs, a dog comes after."""
    place = darker(places.kerb(640), 0.4, 5, 0.5)
    return _in_infrared(place, 805, MEDIUM, [
        Actor(cut("jeans"), route(place, 9, (-0.06, 0.7), (1.08, 0.75), speed=2.4), **INFRARED),
        Actor(hound(150), route(place, 30, (-0.06, 0.75), (1.08, 0.8), speed=3.5, size=0.5), **INFRARED)], wind=-0.4)


def kerb_sleet_light_only() -> World:
    """Infrared in light snow, nobody."""
    return _in_infrared(darker(places.kerb(320), 0.4, 5, 0.5), 806, LIGHT, kbps=250)


def lawn_snow_medium() -> World:
    """Snow by day: a walker comes, waits and goes; a car far behind."""
    place = snowed(places.lawn(320))
    comes = route(place, 7, (1.06, 0.9), (0.6, 0.8), Stand(6, 0.7), (1.08, 0.95))
    return _by_day(place, 851, MEDIUM, [
        Actor(cut("waiting"), comes),
        Actor(auto(50), route(place, 38, (-0.15, 0.35), (1.15, 0.32), speed=3))], wind=-0.5, haze=0.1)


def lawn_snow_heavy_only() -> World:
    """A snowstorm by day, nobody."""
    return _by_day(snowed(places.lawn(640)), 852, HEAVY, wind=0.8, haze=0.15, kbps=900)


def gate_sleet_light() -> World:
    """Infrared in light snow: somebody at the gate; later one crawls along it."""
    place = darker(places.gate(640), 0.45, 6, 0.5)
    comes = route(place, 8, (-0.06, 0.75), (0.5, 0.74), Stand(5, 0.8), (1.08, 0.76))
    creeps = route(place, 34, (1.08, 0.9), (-0.08, 0.92), speed=0.45, size=frontal.LOW)
    return _in_infrared(place, 853, LIGHT, [
        Actor(cut("hood"), comes, **INFRARED), Actor(frontal.crawls(Clothes(150, 110)), creeps, **INFRARED)])


def gate_sleet_heavy_only() -> World:
    """Infrared in a snowstorm, nobody."""
    return _in_infrared(darker(places.gate(320), 0.45, 6, 0.5), 854, HEAVY, wind=0.6)


FITTED = {world.__name__: world for world in (
    lane_snow_light, lane_snow_heavy, lane_snow_medium_only, kerb_sleet_heavy, kerb_sleet_medium,
    kerb_sleet_light_only)}
JUDGED = {world.__name__: world for world in (
    lawn_snow_medium, lawn_snow_heavy_only, gate_sleet_light, gate_sleet_heavy_only)}
