"""Six short worlds of places that need no photographs but vtest's walkers: a look at the detector within a minute."""
from tests.rigs.worlds import bugs, camera, light, places, weather
from tests.rigs.worlds.actors import Actor, cut, folk, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Stage
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World


def peek_gate_gusts() -> World:
    """Somebody comes to the gate, waits and goes, while the tree sways."""
    stage = Stage(places.gate(320), 401)
    comes = route(stage.place, 7, (-0.06, 0.75), (0.5, 0.74), Stand(4, 0.8), (1.08, 0.75), speed=0.9)
    return World(stage, "gusts loiter", 24, scene=[weather.gusts(stage, 2.2)],
                 actors=[Actor(cut("coat"), comes, shadow=0.5)],
                 over=[camera.noise(stage, 1.5)])


def peek_yard_rain() -> World:
    """A walker in the rain, before a plain wall."""
    stage = Stage(places.bare_yard(320), 402)
    walks = route(stage.place, 8, (1.05, 0.7), (-0.1, 0.8), speed=0.8)
    return World(stage, "rain", 22, actors=[Actor(cut("hood"), walks)],
                 over=[weather.rain(stage, 60, 28, 0.06), camera.noise(stage, 2)])


def peek_alley_insects_only() -> World:
    """Infrared: insects."""
    stage = Stage(places.darker(places.alley(320), 0.4, 6, 0.5), 403)
    return World(stage, "infrared insects", 25,
                 over=[bugs.near_insects(stage, 25, seconds=25), bugs.far_insects(stage, 40, seconds=25),
                       camera.noise(stage, 3.5, 0.6, 0.3)])


def peek_yard_headlights_only() -> World:
    """Headlights sweep over a dark yard, clouds of noise."""
    stage = Stage(places.darker(places.bare_yard(320), 0.35), 404)
    return World(stage, "headlights noise", 22,
                 over=[light.sweep(stage, 6, 3, (0.1, 0.5), (0.9, 0.5)),
                       light.sweep(stage, 14, 1.5, (0.9, 0.7), (0.2, 0.4)),
                       camera.noise(stage, 3.5, 0.7, 0.3)])


def peek_alley_motorbike() -> World:
    """A motorbike, then somebody who comes towards the camera; the pole shakes."""
    stage = Stage(places.alley(320), 405)
    place = stage.place
    return World(stage, "shake vehicles approach", 25,
                 actors=[Actor(rider(Clothes(120)), route(place, 6, (-0.2, 0.9), (1.2, 0.85), speed=2.2), shadow=0.3),
                         Actor(cut("waiting"), route(place, 14, (0.52, 0.55), (0.45, 1.1)), shadow=0.3)],
                 over=[camera.shake(stage, 0.8), camera.noise(stage, 1.5)])


def peek_room_sits() -> World:
    """Somebody comes in and sits down; the exposure hunts."""
    stage = Stage(places.room(320), 406)
    visit = route(stage.place, 6, (0.92, 0.84), (0.3, 0.88), Stand(12, 0.9, 1.0), speed=0.6)
    return World(stage, "sits hunting", 24, actors=[Actor(folk(Clothes(190, 50)), visit, shadow=0.2)],
                 over=[light.hunting(stage, 7, depth=0.08), camera.noise(stage, 2, 0.5)])


WORLDS = {world.__name__: world for world in (
    peek_gate_gusts, peek_yard_rain, peek_alley_insects_only, peek_yard_headlights_only, peek_alley_motorbike,
    peek_room_sits)}
