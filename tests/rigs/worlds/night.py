"""Worlds by night: infrared, dusk, street lamps; noise, insects, headlights."""
from tests.rigs.worlds import bugs, camera, light, places, weather
from tests.rigs.worlds.actors import Actor, auto, cut, folk, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.places import darker
from tests.rigs.worlds.stage import Stage, rectangle
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World

INFRARED = {"gain": 0.8, "lift": 35.0, "blur": 0.4}         # people near an infrared lamp are bright
DIM = {"gain": 0.45, "lift": 4.0, "blur": 0.4}


def gate_insects() -> World:
    """Infrared: somebody comes to the gate and waits among insects."""
    stage = Stage(darker(places.gate(640), 0.45, 8, 0.5), 201)
    place = stage.place
    comes = route(place, 14, (1.06, 0.75), (0.5, 0.75), Stand(12, 0.8), (1.08, 0.75))
    return World(stage, "infrared insects loiter", 50, scene=[weather.gusts(stage, 1.2)], faint=10,
                 actors=[Actor(cut("talking"), comes, **INFRARED)],
                 over=[bugs.near_insects(stage, 20), bugs.far_insects(stage, 40), camera.noise(stage, 4, 0.7, 0.4)])


def gate_insects_only() -> World:
    """Infrared: insects, near and far, fast and slow."""
    stage = Stage(darker(places.gate(320), 0.45, 8, 0.5), 202)
    return World(stage, "infrared insects", 55, scene=[weather.gusts(stage, 1.0)],
                 over=[bugs.near_insects(stage, 25), bugs.slow_insects(stage, 6), bugs.far_insects(stage, 40),
                       camera.noise(stage, 4, 0.6, 0.3)])


def wood_insects() -> World:
    """A very dark scene: bright insects, and two walkers."""
    stage = Stage(places.wood(320), 203)
    place = stage.place
    return World(stage, "dark insects", 55, faint=10,
                 actors=[Actor(cut("jeans"), route(place, 9, (-0.05, 0.95), (1.08, 0.95), speed=1.0), **INFRARED),
                         Actor(cut("coat"), route(place, 36, (1.05, 0.85), (0.2, 0.9), (-0.1, 0.9)), **INFRARED)],
                 over=[bugs.near_insects(stage, 18, 120), bugs.far_insects(stage, 30, 110),
                       camera.noise(stage, 3, 0.6)])


def wood_insects_only() -> World:
    """A very dark scene: bright insects that dart and hover, out of focus, all the time."""
    stage = Stage(places.wood(640), 204)
    return World(stage, "dark insects", 60,
                 over=[bugs.near_insects(stage, 22, 140), bugs.slow_insects(stage, 9, 110),
                       bugs.far_insects(stage, 30, 110),
                       camera.noise(stage, 3, 0.6)])


def yard_moths() -> World:
    """Moths round a lamp; somebody switches it on, crosses the yard and stands there a while."""
    stage = Stage(darker(places.bare_yard(320), 0.35), 205)
    place = stage.place
    crosses = route(place, 12, (-0.06, 0.75), (0.62, 0.6), Stand(9, 0.7), (1.1, 0.8))
    return World(stage, "lamp moths noise", 50, faint=10,
                 actors=[Actor(cut("waiting"), crosses, gain=0.6, lift=2, shadow=0.6)],
                 over=[light.lamp(stage, 0.66, 0.1, 0.35, 5, 40, gain=1.3), bugs.moths(stage, 0.66, 0.12),
                       camera.noise(stage, 4, 0.8, 0.5)])


def lane_headlights() -> World:
    """Headlights sweep over a lane; a car comes itself, and somebody walks."""
    stage = Stage(darker(places.lane(640), 0.3, 3), 206)
    place = stage.place
    sweeps = [light.sweep(stage, 6, 3, (0.1, 0.5), (0.9, 0.4)), light.sweep(stage, 38, 2.5, (0.9, 0.4), (0.2, 0.7))]
    return World(stage, "headlights noise car", 50, faint=10,
                 actors=[Actor(auto(70, 250), route(place, 14, (-0.35, 0.8), (1.3, 0.75), speed=2.5), blur=0.4,
                               gain=0.8),
                         Actor(cut("red"), route(place, 24, (1.04, 0.9), (0.3, 0.6), (-0.05, 0.6)), **DIM)],
                 over=[*sweeps, camera.noise(stage, 3, 0.7, 0.3)])


def lane_headlights_only() -> World:
    """Headlights of vehicles out of sight, slow and fast, and a shop's sign that blinks."""
    stage = Stage(darker(places.lane(320), 0.3, 3), 207)
    runs = [(6, 4.0, (0.0, 0.4), (1.0, 0.5)), (16, 1.5, (1.0, 0.7), (0.1, 0.4)), (24, 6.0, (0.8, 0.3), (0.3, 0.8)),
            (35, 1.2, (0.0, 0.6), (1.0, 0.6)), (41, 5.0, (0.5, 0.9), (0.9, 0.3))]
    return World(stage, "headlights sign noise", 50,
                 over=[*(light.sweep(stage, *run) for run in runs),
                       light.blinking(stage, rectangle(0.12, 0.05, 0.2, 0.12), 2.0), camera.noise(stage, 3, 0.7, 0.3)])


def alley_web_only() -> World:
    """Infrared: a spider's thread in the wind, an insect on the glass."""
    stage = Stage(darker(places.alley(640), 0.4, 5, 0.6), 208)
    return World(stage, "infrared web crawler", 50,
                 over=[bugs.strand(stage, 0.35), bugs.crawler(stage, 15, 25, 10, 70), camera.noise(stage, 4, 0.8, 0.5)])


def kerb_noise() -> World:
    """High gain under a street lamp: motorbikes with their lights on, a walker who hardly shows."""
    stage = Stage(darker(places.kerb(320), 0.35), 209)
    place = stage.place
    return World(stage, "noise vehicles", 50, faint=12,
                 actors=[Actor(rider(Clothes(60), 255), route(place, 8, (-0.15, 0.35), (1.15, 0.45), speed=4.5),
                               gain=0.8, blur=0.4),
                         Actor(cut("jeans"), route(place, 19, (1.04, 0.85), (0.3, 0.8), (-0.1, 0.9), speed=0.9), **DIM),
                         Actor(rider(Clothes(100), 255), route(place, 40, (1.15, 0.5), (-0.2, 0.4), speed=3.5),
                               gain=0.8, blur=0.4)],
                 over=[light.lamp(stage, 0.4, 0.0, 0.4, -1, gain=0.9), camera.noise(stage, 6, 0.9, 0.4)])


def shop_dusk() -> World:
    """It grows dark, then the camera goes over to infrared; walkers before and after, a sign blinks."""
    stage = Stage(places.shopfront(640), 210)
    place = stage.place
    return World(stage, "dusk infrared_cut sign", 55, faint=10,
                 actors=[Actor(cut("coat"), route(place, 6, (-0.03, 0.95), (0.5, 0.95), (1.05, 0.97))),
                         Actor(cut("hood"), route(place, 39, (1.04, 0.98), (0.3, 0.95), (-0.05, 0.95)), lift=25)],
                 over=[light.steps_of_dusk(stage, 30, 0.45), light.infrared(stage, 30, 1.5, 1.1, 10),
                       light.blinking(stage, rectangle(0.36, 0.22, 0.44, 0.34), 1.6, 40),
                       camera.noise(stage, 2.5, 0.6)])


def gate_rain_only() -> World:
    """Infrared: rain shines before the lens, drops sit on it, noise."""
    stage = Stage(darker(places.gate(640), 0.4, 8, 0.5), 211)
    return World(stage, "infrared rain drops", 45, scene=[weather.gusts(stage, 1.8)],
                 over=[weather.rain(stage, 70, 75), weather.drops(stage, 6), camera.noise(stage, 4, 0.7, 0.3)])


def yard_prowler() -> World:
    """Infrared: somebody dark creeps along the wall, stops, goes on; insects and a thread."""
    stage = Stage(darker(places.bare_yard(640), 0.4, 5, 0.6), 212)
    place = stage.place
    creeps = route(place, 11, (1.05, 0.5), (0.8, 0.5), Stand(5, 0.4), (0.55, 0.5), Stand(8, 0.4), (-0.05, 0.55),
                   speed=0.35)
    return World(stage, "infrared loiter web insects", 60, faint=8,
                 actors=[Actor(folk(Clothes(40, 30, 90)), creeps, blur=0.4)],
                 over=[bugs.strand(stage, 0.75, 35), bugs.slow_insects(stage, 4, 60), bugs.far_insects(stage, 30, 60),
                       camera.noise(stage, 3.5, 0.8, 0.4)])


WORLDS = {world.__name__: world for world in (
    gate_insects, gate_insects_only, wood_insects, wood_insects_only, yard_moths, lane_headlights, lane_headlights_only,
    alley_web_only, kerb_noise, shop_dusk, gate_rain_only, yard_prowler)}
