"""Worlds in hard sun: shadows of leaves that shift and merge, beams through blinds, curtains in a draught."""
from collections.abc import Sequence

from tests.rigs.worlds import camera, frontal, light, places, shade, weather
from tests.rigs.worlds.actors import Actor, cut, folk
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Place, Stage, rectangle
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World

SECONDS = 50
WALL, GROUND = rectangle(0.0, 0.0, 0.62, 0.5), ((0.3, 0.6), (1.0, 0.55), (1.0, 1.0), (0.15, 1.0))


def _leaves(place: Place, seed: int, actors: Sequence[Actor] = (), kbps: int = 330, **how: float) -> World:
    stage = Stage(place, seed)
    return World(stage, "shadows", SECONDS, actors=actors, kbps=kbps, over=[
        shade.leaf_shadows(stage, WALL, GROUND, **how), camera.noise(stage, 1.5)])


def terrace_leaves_walkers() -> World:
    """Shadows of leaves on wall and ground; a walker, one who waits in the shade."""
    place = places.terrace(640)
    waits = route(place, 22, (1.06, 0.8), (0.5, 0.75), Stand(7, 0.8), (-0.08, 0.8), speed=0.9)
    return _leaves(place, 821, [
        Actor(cut("coat"), route(place, 8, (-0.06, 0.85), (1.08, 0.85), speed=1.0), shadow=0.5),
        Actor(cut("waiting"), waits, shadow=0.5)])


def terrace_leaves_crawls() -> World:
    """A storm in the shadows; a child crawls over the slabs, somebody comes after."""
    place = places.terrace(320)
    return _leaves(place, 822, [
        Actor(frontal.crawls(Clothes(90, 60)), route(place, 8, (-0.08, 0.92), (1.08, 0.88), speed=0.5, size=0.35),
              shadow=0.5),
        Actor(folk(Clothes(60, 40)), route(place, 30, (1.06, 0.9), (0.2, 0.88), speed=0.9), shadow=0.5)],
        px=11, leaf_px=7)


def terrace_leaves_only() -> World:
    """Strong gusts in large leaves, nobody."""
    return _leaves(places.terrace(320), 823, kbps=220, px=12, leaf_px=8, leaves_n=300)


def lawn_leaves_walkers() -> World:
    """Many small leaves; two walk by, not near, and one comes straight through the shade."""
    place = places.lawn(640)
    return _leaves(place, 824, [
        Actor(cut("phone"), route(place, 7, (1.04, 0.4), (-0.04, 0.45), speed=1.1), shadow=0.4),
        Actor(cut("red"), route(place, 34, (-0.04, 0.6), (0.5, 0.8), (1.06, 0.85), speed=1.2), shadow=0.4)],
        px=8, leaf_px=3.5, leaves_n=420)


def room_beams_only() -> World:
    """Sun through blinds on wall and sofa; clouds come and go."""
    stage = Stage(places.darker(places.room(320), 0.7), 825)
    return World(stage, "beams", SECONDS, over=[
        shade.beams(stage, ((0.1, 0.1), (0.42, 0.16), (0.55, 0.8), (0.22, 0.72))), camera.noise(stage, 2, 0.5)])


def parlour_curtain_only() -> World:
    """A long curtain billows before the window; the exposure hunts once."""
    stage = Stage(places.parlour(640), 826)
    return World(stage, "curtain", SECONDS, scene=[shade.curtain(stage, 0.68, 0.05, 0.28, 0.6, 200, 22)],
                 over=[light.hunting(stage, 24, depth=0.06), camera.noise(stage, 2, 0.5)])


def yard_leaves_walkers() -> World:
    """Shadows of leaves in a yard, clouds; a pair, and one who runs."""
    place = places.bare_yard(320)
    world = _leaves(place, 871, [
        Actor(cut("pair"), route(place, 7, (1.06, 0.8), (-0.08, 0.8), speed=0.9), shadow=0.5),
        Actor(folk(Clothes(200, 60)), route(place, 33, (-0.06, 0.7), (1.08, 0.75), speed=2.5), shadow=0.5)], px=9)
    world.over = [weather.clouds(world.stage, 0.25), *world.over]
    return world


def yard_leaves_only() -> World:
    """Shadows of leaves in a yard, gusts, nobody."""
    return _leaves(places.bare_yard(640), 872, kbps=800, px=10, leaf_px=6)


def veranda_beams_only() -> World:
    """Sun through a blind on the floor, strong; a slow cloud."""
    stage = Stage(places.veranda(320), 873)
    return World(stage, "beams", SECONDS, over=[
        shade.beams(stage, ((0.15, 0.6), (0.75, 0.6), (0.9, 0.95), (0.05, 0.95)), 7, 0.6, 0.1, 5, 7),
        camera.noise(stage, 1.5)])


def room_curtain_only() -> World:
    """Two curtains in a draught."""
    stage = Stage(places.room(320), 874)
    return World(stage, "curtain", SECONDS,
                 scene=[shade.curtain(stage, 0.1, 0.04, 0.14, 0.5, 210, 14, 0.42),
                        shade.curtain(stage, 0.34, 0.04, 0.14, 0.5, 210, 18, 0.36)],
                 over=[camera.noise(stage, 2, 0.5)])


FITTED = {world.__name__: world for world in (
    terrace_leaves_walkers, terrace_leaves_crawls, terrace_leaves_only, lawn_leaves_walkers, room_beams_only,
    parlour_curtain_only)}
JUDGED = {world.__name__: world for world in (
    yard_leaves_walkers, yard_leaves_only, veranda_beams_only, room_curtain_only)}
