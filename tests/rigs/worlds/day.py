"""Worlds by day, outdoors."""
from tests.rigs.worlds import bugs, camera, light, losses, places, weather
from tests.rigs.worlds.actors import Actor, auto, cut, cyclist, folk, hound, left_motorbike, rider
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Stage, rectangle
from tests.rigs.worlds.ways import Stand, route
from tests.rigs.worlds.world import World

FOREVER_S = 1000.0


def gate_gusts() -> World:
    """Somebody comes to the gate, waits and goes; later two pass. Wind in the tree, clouds."""
    stage = Stage(places.gate(640), 101)
    place = stage.place
    comes = route(place, 8, (-0.05, 0.72), (0.5, 0.72), Stand(15, 0.8), (-0.08, 0.74))
    pass_by = route(place, 38, (1.06, 0.68), (-0.1, 0.68), speed=1.1)
    return World(stage, "gusts clouds loiter", 50, scene=[weather.gusts(stage, 2.2)],
                 actors=[Actor(cut("waiting"), comes, shadow=0.5), Actor(cut("pair"), pass_by, shadow=0.5)],
                 over=[weather.clouds(stage, 0.25), camera.noise(stage, 1.5)])


def gate_gusts_only() -> World:
    """Strong wind in the tree, clouds, an exposure that hunts."""
    stage = Stage(places.gate(320), 102)
    return World(stage, "gusts clouds hunting", 50, scene=[weather.gusts(stage, 3.0)],
                 over=[weather.clouds(stage, 0.4, 25), light.hunting(stage, 12, 33), camera.noise(stage, 1.5)])


def kerb_motorbikes() -> World:
    """Motorbikes, a bicycle and a walker on a road; each makes the exposure jump a little."""
    stage = Stage(places.kerb(640), 103)
    place = stage.place
    ways = [route(place, 6, (-0.15, 0.3), (1.15, 0.42), speed=5), route(place, 15, (1.1, 0.5), (-0.2, 0.35), speed=4),
            route(place, 24, (-0.2, 0.5), (1.2, 0.7), speed=6)]
    riders = [Actor(rider(Clothes(60 + 40 * n, 50)), way, shadow=0.4) for n, way in enumerate(ways)]
    cycle = Actor(cyclist(Clothes(180)), route(place, 31, (1.1, 0.45), (-0.1, 0.25), speed=2.2), shadow=0.4)
    walks = Actor(cut("red"), route(place, 40, (1.05, 0.85), (0.6, 0.7), (0.4, 1.5)), shadow=0.4)
    return World(stage, "vehicles exposure", 50, actors=[*riders, cycle, walks],
                 over=[light.exposure_steps(stage, (6.5, 1.08), (9, 1.0), (15.5, 0.9), (18, 1.0)),
                       camera.noise(stage, 1.5)])


def wall_rain() -> World:
    """Rain and wind in the bushes; walkers along the wall."""
    stage = Stage(places.wall(320), 104)
    place = stage.place
    return World(stage, "rain gusts", 45, scene=[weather.gusts(stage, 1.8)],
                 actors=[Actor(cut("coat"), route(place, 9, (-0.05, 0.97), (1.05, 0.97), speed=1.0)),
                         Actor(cut("pair"), route(place, 25, (1.1, 1.0), (0.3, 1.0), (-0.15, 0.98), speed=0.9))],
                 over=[weather.rain(stage, 50, 26, 0.06), camera.noise(stage, 1.5)])


def wall_storm_only() -> World:
    """A storm: heavy rain, drops on the lens, the camera's pole shakes."""
    stage = Stage(places.wall(640), 105)
    return World(stage, "heavy_rain drops gusts shake", 50, scene=[weather.gusts(stage, 3.2)],
                 over=[weather.rain(stage, 150, 38, 0.15), camera.shake(stage, 0.8), weather.drops(stage, 9),
                       camera.noise(stage, 2)])


def shop_clouds() -> World:
    """In front of a shop: walkers, somebody who loiters, a dog; clouds, a flag."""
    stage = Stage(places.shopfront(640), 106)
    place = stage.place
    loiters = route(place, 12, (1.04, 0.95), (0.62, 0.95), Stand(7), (0.5, 0.97), Stand(6), (-0.05, 0.95))
    return World(stage, "clouds flag loiter", 55,
                 scene=[weather.cloth(stage, 0.74, 0.3, 0.1, 0.12, 150)],
                 actors=[Actor(cut("phone"), loiters, shadow=0.3),
                         Actor(cut("stooped"), route(place, 5, (-0.03, 0.9), (0.35, 0.9), (0.35, 1.3), speed=1.1),
                               shadow=0.3),
                         Actor(hound(60), route(place, 46, (-0.1, 0.98), (1.1, 0.98), speed=2.5), shadow=0.3)],
                 over=[weather.clouds(stage, 0.35, 15), camera.noise(stage, 1.5)])


def lake_ripples() -> World:
    """On the shore: somebody stands and looks, somebody runs, a dog; the water glitters."""
    stage = Stage(places.lake(320), 107)
    place = stage.place
    looks = route(place, 7, (-0.05, 0.98), (0.4, 0.98), Stand(12, 0.7), (1.06, 0.98))
    return World(stage, "water", 50, scene=[weather.ripples(stage, 1.2), weather.gusts(stage, 1.2)],
                 actors=[Actor(cut("hood"), looks),
                         Actor(hound(50), route(place, 43, (1.1, 0.97), (-0.1, 0.97), speed=2.5)),
                         Actor(folk(Clothes(190, 60)), route(place, 36, (1.06, 1.0), (-0.1, 1.0), speed=2.2))],
                 over=[camera.noise(stage, 1.5)])


def lake_only() -> World:
    """Water, clouds, and an exposure that the glints confuse."""
    stage = Stage(places.lake(640), 108)
    return World(stage, "water clouds hunting", 45, scene=[weather.ripples(stage, 1.8)],
                 over=[weather.clouds(stage, 0.3, 18), light.hunting(stage, 10, 22, 34, depth=0.1),
                       camera.noise(stage, 1.5)])


def meadow_far() -> World:
    """Far, small walkers on a hill, one of them runs; wind in a bare tree."""
    stage = Stage(places.meadow(640), 109)
    place = stage.place
    return World(stage, "far gusts", 55, scene=[weather.gusts(stage, 1.2)],
                 actors=[Actor(cut("coat"), route(place, 6, (0.02, 0.87), (0.6, 0.87), (0.75, 0.83), speed=0.9)),
                         Actor(cut("jeans"), route(place, 24, (1.02, 0.9), (0.4, 0.92), speed=1.1)),
                         Actor(folk(Clothes(40)), route(place, 43, (-0.02, 0.93), (1.05, 0.9), speed=2.5))],
                 over=[weather.clouds(stage, 0.15, 8), camera.noise(stage, 1.5)])


def lane_parking() -> World:
    """A car comes, parks, and leaves later; its driver walks away and comes back. The pole shakes."""
    stage = Stage(places.lane(640), 110)
    place = stage.place
    parks = route(place, 5, (1.25, 0.8), (0.55, 0.8), Stand(29, 0), (-0.3, 0.78), speed=2.2)
    leaves = route(place, 11, (0.6, 0.86), (0.75, 0.95), (1.1, 0.9), speed=0.9)
    returns = route(place, 25, (1.08, 0.9), (0.75, 0.95), (0.6, 0.86), speed=0.9)
    return World(stage, "shake car parked", 50,
                 actors=[Actor(auto(180), parks, alive=False, shadow=0.2),
                         *(Actor(cut("jeans"), way, shadow=0.3) for way in (leaves, returns))],
                 over=[camera.shake(stage, 1.0), camera.noise(stage, 1.5)])


def lawn_far() -> World:
    """Far walkers, 17 and 13 pixels tall, and a cyclist, while clouds pass over them."""
    stage = Stage(places.lawn(640), 117)
    place = stage.place
    return World(stage, "far clouds", 55,
                 actors=[Actor(cut("hood"), route(place, 6, (-0.02, 0.3), (0.7, 0.26), (1.03, 0.3), size=0.65)),
                         Actor(cut("jeans"),
                               route(place, 25, (1.02, 0.4), (0.5, 0.36), (-0.02, 0.4), size=0.4, speed=1.5)),
                         Actor(cyclist(Clothes(170)), route(place, 44, (-0.03, 0.5), (1.03, 0.45), size=0.5, speed=3))],
                 over=[weather.clouds(stage, 0.45, 18), camera.noise(stage, 2)])


def lawn_exposure() -> World:
    """Walkers at several distances while the sun comes and goes and the camera follows late."""
    stage = Stage(places.lawn(320), 111)
    place = stage.place
    steps = light.exposure_steps(stage, (10, 1.35), (19, 0.8), (28, 1.2), (40, 1.0), settle_s=0.7)
    return World(stage, "clouds exposure", 50,
                 actors=[Actor(cut("red"), route(place, 6, (-0.03, 0.55), (0.7, 0.5), (1.05, 0.42)), shadow=0.4),
                         Actor(cut("hood"), route(place, 27, (1.04, 0.9), (-0.1, 0.75), speed=1.0), shadow=0.4),
                         Actor(cut("talking"), route(place, 36, (1.02, 0.35), (0.4, 0.35), Stand(6), (-0.1, 0.4)))],
                 over=[weather.clouds(stage, 0.35, 20), steps, camera.noise(stage, 1.5)])


def yard_laundry() -> World:
    """Washing on the line; somebody takes it in, another parks a motorbike and walks out."""
    stage = Stage(places.bare_yard(320), 112)
    place = stage.place
    parked = Clothes(hair=20)
    rides = route(place, 31, (1.2, 0.85), (0.72, 0.85), speed=2)
    stays = route(place, rides.ends_s, (0.72, 0.85), Stand(FOREVER_S, 0))
    return World(stage, "cloth loiter parked", 55, scene=[weather.cloth(stage, 0.1, 0.15, 0.3, 0.3, 200)],
                 actors=[Actor(folk(Clothes(150, 60)),
                               route(place, 6, (-0.1, 0.7), (0.28, 0.62), Stand(14, 1.0), (-0.1, 0.75)), shadow=0.5),
                         Actor(rider(parked), rides, shadow=0.5),
                         Actor(left_motorbike(parked), stays, alive=False, shadow=0.5),
                         Actor(cut("stooped"), route(place, rides.ends_s, (0.7, 0.88), (0.66, 0.45), speed=0.9),
                               shadow=0.5)],
                 over=[camera.noise(stage, 1.5)])


def yard_laundry_only() -> World:
    """Washing in a strong wind, clouds, an insect that walks over the lens."""
    stage = Stage(places.bare_yard(640), 113)
    return World(stage, "cloth clouds crawler", 50,
                 scene=[weather.cloth(stage, 0.08, 0.12, 0.22, 0.3, 210, 5),
                        weather.cloth(stage, 0.34, 0.14, 0.12, 0.2, 90, 4)],
                 over=[weather.clouds(stage, 0.3, 15), bugs.crawler(stage, 20, 20), camera.noise(stage, 1.5)])


def alley_losses() -> World:
    """A bad network: pictures stand, smear and turn grey while people and a motorbike pass, and while nobody does."""
    stage = Stage(places.alley(640), 114)
    place = stage.place
    return World(stage, "losses approach", 55,
                 actors=[Actor(cut("waiting"), route(place, 8, (0.5, 0.52), (0.45, 1.25), speed=0.9), shadow=0.3),
                         Actor(rider(Clothes(120)), route(place, 33, (0.75, 1.1), (0.52, 0.55), speed=3.0),
                               shadow=0.3)],
                 over=[camera.noise(stage, 1.5)], skips=[(27, 2.0)],
                 losses=[losses.smeared(stage, 5.1), losses.smeared(stage, 12.3), losses.frozen(22, 0.8),
                         losses.greyed(27, 0.6), losses.smeared(stage, 42.5), losses.frozen(46, 1.0),
                         losses.greyed(49, 0.5)])


def arcade_poor() -> World:
    """A covered way at a very low bit rate: keyframes pulse. Somebody comes from behind a pillar, another runs."""
    stage = Stage(places.arcade(640), 115)
    place = stage.place
    comes = route(place, 8, (0.36, 0.95), (0.6, 1.0), (0.8, 1.2), speed=0.7)
    return World(stage, "pulsing door run", 45, kbps=130,
                 actors=[Actor(cut("phone"), comes, hidden=(0.3, 0, 0.38, 1)),
                         Actor(folk(Clothes(180, 50)), route(place, 27, (-0.1, 0.98), (1.1, 1.02), speed=2.6))],
                 over=[weather.clouds(stage, 0.2, 10), camera.noise(stage, 3)])


def alley_drops() -> World:
    """Rain, drops on the lens, a puddle; somebody walks away from the camera, a dog comes."""
    stage = Stage(places.alley(320), 116)
    place = stage.place
    return World(stage, "rain drops puddle", 50,
                 scene=[weather.puddle(stage, rectangle(0.42, 0.72, 0.56, 0.82)), weather.gusts(stage, 1.2)],
                 actors=[Actor(cut("hood"), route(place, 9, (0.3, 1.3), (0.46, 0.8), (0.52, 0.53), speed=0.9)),
                         Actor(hound(40), route(place, 33, (0.52, 0.53), (0.45, 0.8), (0.7, 1.15), speed=1.5))],
                 over=[weather.rain(stage, 60, 28, 0.08), weather.drops(stage, 10), camera.noise(stage, 2)])


WORLDS = {world.__name__: world for world in (
    gate_gusts, gate_gusts_only, kerb_motorbikes, wall_rain, wall_storm_only, shop_clouds, lake_ripples, lake_only,
    meadow_far, lane_parking, lawn_far, lawn_exposure, yard_laundry, yard_laundry_only, alley_losses, arcade_poor,
    alley_drops)}
