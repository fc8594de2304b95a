"""Worlds indoors: rooms, a shop, a hall; people sit, sway and reach, screens flicker, lamps go on and off."""
from tests.rigs.worlds import camera, light, places, weather
from tests.rigs.worlds.actors import Actor, cut, folk
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Stage, rectangle
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World

TELEVISION = rectangle(0.69, 0.28, 0.83, 0.46)


def room_television() -> World:
    """Somebody enters by the door, sits on the sofa, stirs, and leaves; the television flickers."""
    stage = Stage(places.room(640), 301)
    place = stage.place
    visit = route(place, 8, (0.92, 0.84), (0.6, 0.9), (0.3, 0.88), Stand(18, 0.9, 1.0), (0.6, 0.9), (0.93, 0.84),
                  speed=0.6)
    return World(stage, "screen sits door", 55, scene=[light.screen(stage, TELEVISION)],
                 actors=[Actor(folk(Clothes(190, 50)), visit, shadow=0.2)],
                 over=[camera.noise(stage, 2, 0.5)])


def room_television_only() -> World:
    """The television in a dark room, and a lamp that goes on and off."""
    stage = Stage(places.darker(places.room(320), 0.45), 302)
    return World(stage, "screen lamp noise", 50, scene=[light.screen(stage, TELEVISION, 0.9, 0.25)],
                 over=[light.lamp(stage, 0.3, 0.2, 0.5, 14, 31, 40, gain=0.7), camera.noise(stage, 4, 0.7, 0.4)])


def counter_folk() -> World:
    """In a shop: one serves and stirs on and off, customers come, sway, reach, and go."""
    stage = Stage(places.counter(640), 303)
    place = stage.place
    serves = route(place, 20, (1.08, 0.84), (0.65, 0.84), Stand(14, 1.0), (1.1, 0.86), speed=0.7)
    buys = route(place, 6, (-0.08, 0.92), (0.35, 0.92), Stand(22, 0.7), (-0.1, 0.94), speed=0.6)
    return World(stage, "sways reaches", 55,
                 actors=[Actor(folk(Clothes(90, 50)), serves), Actor(cut("talking"), buys)],
                 over=[light.hunting(stage, 7, 45, depth=0.06), camera.noise(stage, 2, 0.5)])


def room_bouts() -> World:
    """Somebody sits in a dim room all the time, and stirs now and then; at the end another passes."""
    stage = Stage(places.darker(places.room(320), 0.7), 307)
    place = stage.place
    sits = route(place, -1, (0.3, 0.88), Stand(100, 1.0, 1.0, bout_s=11))
    return World(stage, "sits bouts noise", 60,
                 actors=[Actor(folk(Clothes(150, 50)), sits, gain=0.7),
                         Actor(cut("phone"), route(place, 48, (1.08, 0.95), (0.5, 0.9), (1.1, 0.95)), gain=0.7)],
                 over=[camera.noise(stage, 3, 0.6, 0.3)])


def counter_bouts() -> World:
    """Two stand in a shop all the time; one sways, the other reaches, each now and then."""
    stage = Stage(places.counter(320), 308)
    place = stage.place
    sways = route(place, -3, (0.3, 0.92), Stand(100, 0.8, bout_s=13))
    reaches = route(place, -1, (0.72, 0.9), Stand(100, 1.0, bout_s=9))
    return World(stage, "sways reaches bouts", 60,
                 actors=[Actor(cut("waiting"), sways), Actor(folk(Clothes(110, 60)), reaches)],
                 over=[light.hunting(stage, 20, depth=0.06), camera.noise(stage, 2, 0.5)])


def hall_screen() -> World:
    """A hall with a projector: slides change; walkers at the front and near, a lamp."""
    stage = Stage(places.hall(320), 304)
    place = stage.place
    return World(stage, "screen lamp", 50, scene=[light.screen(stage, rectangle(0.0, 0.17, 0.24, 0.7), 0.5, 0.15)],
                 actors=[Actor(cut("coat"),
                               route(place, 10, (0.55, 0.86), (0.25, 0.9), Stand(6), (0.56, 0.86), speed=0.7)),
                         Actor(cut("stooped"), route(place, 36, (1.06, 1.0), (0.2, 1.05), (-0.1, 1.1)))],
                 over=[light.lamp(stage, 0.5, 0.1, 0.5, 30, gain=0.4), camera.noise(stage, 3, 0.6)])


def plant_fan_only() -> World:
    """A pot plant in the wind of a fan, lamps, noise."""
    stage = Stage(places.plant(640), 305)
    return World(stage, "fan lamp noise", 45, scene=[weather.gusts(stage, 1.6)],
                 over=[light.lamp(stage, 0.2, 0.1, 0.6, 18, 30, gain=0.5),
                       light.exposure_steps(stage, (18.3, 0.85), (30.3, 1.0)),
                       camera.noise(stage, 3, 0.6, 0.3)])


def table_dim() -> World:
    """A dim room: somebody passes close to the camera, another reaches over the table; the exposure hunts."""
    stage = Stage(places.table(320), 306)
    place = stage.place
    return World(stage, "noise near reaches", 50, faint=10,
                 actors=[Actor(cut("jeans"), route(place, 8, (-0.15, 1.35), (1.2, 1.35), speed=0.8), gain=0.7),
                         Actor(folk(Clothes(120, 40, 130)),
                               route(place, 26, (1.15, 1.2), (0.75, 1.2), Stand(10, 1.0), (1.2, 1.2), speed=0.6),
                               gain=0.7)],
                 over=[light.hunting(stage, 9, 27, depth=0.12), camera.noise(stage, 4, 0.7, 0.4)])


WORLDS = {world.__name__: world for world in (
    room_television, room_television_only, counter_folk, room_bouts, counter_bouts, hall_screen, plant_fan_only,
    table_dim)}
