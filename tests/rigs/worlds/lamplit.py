"""Worlds before an infrared lamp that draws what flies and spins: moths all the time, webs, and people among them."""
from collections.abc import Sequence

from tests.rigs.worlds import bugs, camera, frontal, places
from tests.rigs.worlds.actors import Actor, cut, folk
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.night import INFRARED
from tests.rigs.worlds.places import darker
from tests.rigs.worlds.stage import Place, Stage
from tests.rigs.worlds.ways import Stand, route, straight
from tests.rigs.worlds.webs import Web
from tests.rigs.worlds.world import World

SECONDS = 55


def _swarm(place: Place, seed: int, actors: Sequence[Actor] = (), soft: float = 40, crisp: float = 50,
           far: float = 60) -> World:
    """Insects near and far, soft and crisp, so many a minute, all the time."""
    stage = Stage(place, seed)
    return World(stage, "infrared moths", SECONDS, actors=actors, faint=10, over=[
        bugs.near_insects(stage, soft, 120, SECONDS), bugs.lens_moths(stage, crisp, seconds=SECONDS),
        bugs.slow_insects(stage, soft / 5, 90, SECONDS), bugs.far_insects(stage, far, seconds=SECONDS),
        camera.noise(stage, 3, 0.7, 0.4)])


def _webs(place: Place, seed: int, actors: Sequence[Actor], x: float, y: float, *spider_s: tuple[float, float],
          level: float = 70, px: float = 4, reach_px: float = 130, soft_px: float = 1.1) -> World:
    stage = Stage(place, seed)
    web = Web(stage, x, y, reach_px, level=level, px=px, soft_px=soft_px)
    return World(stage, "infrared web", SECONDS, actors=actors, faint=10, over=[
        web.paint, web.spider(*spider_s), bugs.far_insects(stage, 10, seconds=SECONDS),
        camera.noise(stage, 3, 0.7, 0.4)])


def yard_swarm_runner() -> World:
    """Among moths: a runner crosses, another runs back, a walker."""
    place = darker(places.bare_yard(320), 0.4, 5, 0.6)
    return _swarm(place, 811, [
        Actor(folk(Clothes(170, 90)), route(place, 15, (-0.06, 0.72), (1.08, 0.7), speed=2.8), **INFRARED),
        Actor(cut("red"), route(place, 29, (1.06, 0.62), (-0.08, 0.6), speed=3.4), **INFRARED),
        Actor(cut("coat"), route(place, 42, (-0.05, 0.9), (1.08, 0.85), speed=1.0), **INFRARED)], soft=60, crisp=110)


def yard_swarm_crawls() -> World:
    """Among moths: one crawls along the wall, later one runs."""
    place = darker(places.bare_yard(640), 0.4, 5, 0.6)
    return _swarm(place, 812, [
        Actor(frontal.crawls(Clothes(130, 100)), route(place, 9, (1.06, 0.6), (-0.08, 0.62), speed=0.45,
                                                       size=frontal.LOW), **INFRARED),
        Actor(cut("jeans"), route(place, 44, (1.06, 0.8), (-0.08, 0.8), speed=3.0), **INFRARED)], soft=25, crisp=70)


def yard_swarm_dash() -> World:
    """Among moths, crisp ones: four dash by, near and far, each in a second or little more; two are dark."""
    place = darker(places.bare_yard(320), 0.4, 8, 0.5)
    return _swarm(place, 817, [
        Actor(folk(Clothes(35, 25, 60)), route(place, 12, (-0.08, 0.8), (1.1, 0.82), speed=4.2), blur=0.4),
        Actor(cut("phone"), route(place, 25, (1.08, 0.95), (-0.1, 0.98), speed=3.8), **INFRARED),
        Actor(folk(Clothes(150, 60)), route(place, 37, (-0.06, 0.58), (1.08, 0.56), speed=5.0), **INFRARED),
        Actor(cut("coat"), route(place, 48, (1.06, 0.7), (-0.08, 0.72), speed=4.0), gain=0.4, blur=0.4)],
        soft=35, crisp=120)


def yard_swarm_only() -> World:
    """Moths, nobody."""
    return _swarm(darker(places.bare_yard(320), 0.4, 5, 0.6), 813, soft=60, crisp=60)


def lane_swarm_far() -> World:
    """Among moths: walkers far away, one of them runs."""
    place = darker(places.lane(640), 0.5, 4, 0.4)
    return _swarm(place, 814, [
        Actor(cut("jeans"), route(place, 8, (1.03, 0.32), (0.3, 0.34), speed=1.0), **INFRARED),
        Actor(cut("hood"), route(place, 34, (-0.03, 0.45), (1.04, 0.42), speed=2.8), **INFRARED),
        Actor(cut("phone"), route(place, 44, (1.04, 0.5), (0.4, 0.45), speed=1.2), **INFRARED)], soft=30)


def alley_webs_spider() -> World:
    """A web swings before the lens, its spider runs; somebody comes towards the camera, another leaves."""
    place = darker(places.alley(320), 0.45, 5, 0.5)
    return _webs(place, 815, [
        Actor(cut("waiting"), straight(place, 12, 9, (0.52, 0.53), (0.45, 1.2)), **INFRARED),
        Actor(folk(Clothes(60, 50)), straight(place, 36, 8, (0.35, 1.15), (0.5, 0.53)), **INFRARED)],
        0.3, 0.35, (22, 32))


def alley_webs_only() -> World:
    """A large web, near and soft, and its spider."""
    return _webs(darker(places.alley(640), 0.45, 5, 0.5), 816, (), 0.6, 0.5, (20, 40), px=6, reach_px=170, soft_px=2.0)


def veranda_webs_person() -> World:
    """A web in a corner; somebody comes, waits and goes, another runs through."""
    place = darker(places.veranda(640), 0.45, 6, 0.5)
    comes = route(place, 9, (1.06, 0.9), (0.45, 0.88), Stand(6, 0.8), (1.08, 0.95))
    return _webs(place, 861, [
        Actor(cut("talking"), comes, **INFRARED),
        Actor(folk(Clothes(180, 80)), route(place, 42, (-0.08, 0.85), (1.1, 0.86), speed=2.6), **INFRARED)],
        0.15, 0.2, (33, 38), level=90, px=3)


def veranda_webs_only() -> World:
    """A web before the lens, crisp, in the wind; a spider."""
    return _webs(darker(places.veranda(320), 0.45, 6, 0.5), 862, (), 0.45, 0.55, (8, 20), (35, 50), level=90, px=7,
                 soft_px=0.8)


def orchard_swarm_runner() -> World:
    """Among moths: somebody runs past twice; one crawls over the path."""
    place = darker(places.orchard(320), 0.45, 5, 0.5)
    return _swarm(place, 863, [
        Actor(cut("coat"), route(place, 12, (1.06, 0.8), (-0.08, 0.8), speed=2.8), **INFRARED),
        Actor(frontal.crawls(Clothes(140, 110)), route(place, 21, (-0.08, 0.8), (1.08, 0.82), speed=0.5,
                                                       size=frontal.LOW), **INFRARED),
        Actor(folk(Clothes(160, 70)), route(place, 46, (-0.06, 0.7), (1.08, 0.72), speed=3.5), **INFRARED)])


def orchard_swarm_dash() -> World:
    """Among moths: three dash by, one of them dark."""
    place = darker(places.orchard(640), 0.45, 7, 0.5)
    return _swarm(place, 865, [
        Actor(cut("jeans"), route(place, 14, (-0.06, 0.85), (1.08, 0.85), speed=3.8), **INFRARED),
        Actor(folk(Clothes(35, 25, 60)), route(place, 28, (1.06, 0.75), (-0.08, 0.75), speed=4.2), blur=0.4),
        Actor(cut("hood"), route(place, 43, (-0.06, 0.62), (1.06, 0.62), speed=4.5), **INFRARED)], soft=30, crisp=110)


def orchard_swarm_only() -> World:
    """Moths, nobody."""
    return _swarm(darker(places.orchard(640), 0.45, 5, 0.5), 864, soft=45, crisp=70)


FITTED = {world.__name__: world for world in (
    yard_swarm_runner, yard_swarm_crawls, yard_swarm_dash, yard_swarm_only, lane_swarm_far, alley_webs_spider,
    alley_webs_only)}
JUDGED = {world.__name__: world for world in (
    veranda_webs_person, veranda_webs_only, orchard_swarm_runner, orchard_swarm_dash, orchard_swarm_only)}
