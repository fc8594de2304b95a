"""Who it is, in every light: two-wheelers, cars and walkers that pass, and people who sit; for their words.

Half of these worlds are there to choose the limits of words, half to judge them: no place and no seed is in both. The
detector is neither tuned nor judged on them.
"""
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from tests.rigs.worlds import bugs, camera, light, places, weather
from tests.rigs.worlds.actors import Actor, Look, auto, cut, cyclist, folk, rider
from tests.rigs.worlds.cut import SIGHTINGS
from tests.rigs.worlds.drawn import Clothes
from tests.rigs.worlds.stage import Paint, Place, Stage, rectangle
from tests.rigs.worlds.street import JUNCTION, KERB, MARKET, STREET, Lane, beams
from tests.rigs.worlds.ways import Spot, Stand, route
from tests.rigs.worlds.world import World

SECONDS = 60
PASSING_SECONDS = 90
APART_S = 10.0, 12.0         # between two who pass: longer than an event goes on after them, so each is one
ALLEY: tuple[Lane, ...] = (((-0.2, 0.95), (1.2, 0.9)), ((0.51, 0.53), (0.42, 1.4)))


Paints = tuple[list[Paint], list[Paint]]        # of the scene, and over it


class Light(NamedTuple):
    """The place's share of its brightness, what is added, how it falls off; the figures' light and the noise."""

    gain: float = 1.0
    lift: float = 0.0
    fall: float = 0.0
    figures: Mapping[str, float] = {"shadow": 0.3}
    noise: float = 1.5
    lamps: float = 100


LIGHTS = {
    "day": Light(),
    "dusk": Light(0.5, 0, 0, {"gain": 0.6, "blur": 0.3}, 3),
    "night": Light(0.4, 3, 0, {"gain": 0.5, "lift": 3.0, "blur": 0.4}, 3),
    "lamps": Light(0.3, 3, 0, {"gain": 0.4, "lift": 3.0, "blur": 0.4}, 3, 255),
    "infrared": Light(0.45, 8, 0.5, {"gain": 0.8, "lift": 35.0, "blur": 0.4}, 4, 200)}


def _clothes(rng: np.random.Generator) -> Clothes:
    return Clothes(float(rng.uniform(30, 220)), float(rng.uniform(30, 120)), hair=float(rng.uniform(15, 90)))


def _walker(rng: np.random.Generator) -> Look:
    return cut(str(rng.choice(list(SIGHTINGS)))) if rng.random() < 0.6 else folk(_clothes(rng))


# Who passes, at which speed in heights of a person a second, and how often.
PASSERS: tuple[tuple[Callable[[np.random.Generator, float], Look], float, float, float], ...] = (
    (lambda rng, lamps: rider(_clothes(rng), lamps), 3, 6, 0.4),
    (lambda rng, lamps: cyclist(_clothes(rng)), 2.2, 3.5, 0.2),
    (lambda rng, lamps: auto(float(rng.uniform(40, 220)), lamps), 3, 6, 0.15),
    (lambda rng, lamps: _walker(rng), 1.0, 1.8, 0.25))


def passing(place: Callable[[int], Place], wide: int, lanes: Sequence[Lane], seed: int, lit: str) -> World:
    """One after the other they pass, each on one of the lanes, to or fro."""
    how = LIGHTS[lit]
    stage = Stage(places.darker(place(wide), *how[:3]), seed)
    rng, start_s, actors = stage.rng, 5.0, []
    while start_s < PASSING_SECONDS - 4:
        drawn, slowest, fastest, _ = PASSERS[rng.choice(len(PASSERS), p=[each[-1] for each in PASSERS])]
        lane = lanes[rng.integers(len(lanes))][::1 if rng.random() < 0.5 else -1]
        way = route(stage.place, start_s, *lane, speed=float(rng.uniform(slowest, fastest)))
        actors.append(Actor(drawn(rng, how.lamps), way, **how.figures))
        start_s = way.ends_s + float(rng.uniform(*APART_S))
    over = [beams(stage, actors)] if lit == "lamps" else []
    return World(stage, f"passing {lit}", PASSING_SECONDS, actors=actors, faint=10,
                 over=[*over, *_lens(stage, lit, PASSING_SECONDS)])


def sitting(place: Callable[[int], Place], wide: int, spots: Sequence[Spot], seed: int, lit: str) -> World:
    """One sits there all the time, and stirs now and then; another comes, sits down a while, and goes."""
    how = LIGHTS[lit]
    stage = Stage(places.darker(place(wide), *how[:3]), seed)
    stays, comes, door = spots
    visit = route(stage.place, 14, door, comes, Stand(14, 1.0, 1.0), door, speed=0.7)
    stirs = route(stage.place, -1, stays, Stand(100, 1.0, 1.0, bout_s=float(stage.rng.uniform(10, 14))))
    actors = [Actor(folk(_clothes(stage.rng)), way, **how.figures) for way in (stirs, visit)]
    return World(stage, f"sits {lit}", SECONDS, actors=actors, over=_lens(stage, lit), faint=10)


def nobody(place: Callable[[int], Place], wide: int, seed: int, lit: str, what: str = "wind") -> World:
    """What moves is nobody: wind, insects, a screen, a storm, cloth, a spider's thread."""
    how = LIGHTS[lit]
    stage = Stage(places.darker(place(wide), *how[:3]), seed)
    scene, over = NOBODY[what](stage)
    return World(stage, f"{what} {lit}", SECONDS, scene=scene, over=[*over, *_lens(stage, lit)])


def _wind(stage: Stage) -> Paints:
    sweeps = [light.sweep(stage, float(at_s), float(stage.rng.uniform(1.2, 4)), *stage.rng.uniform(0, 1, (2, 2)))
              for at_s in range(6, SECONDS, 9)]
    return [weather.gusts(stage, 2.5)], [*sweeps, bugs.near_insects(stage, 18, seconds=SECONDS)]


def _insects(stage: Stage) -> Paints:
    return [], [bugs.near_insects(stage, 22, 140, SECONDS), bugs.slow_insects(stage, 9, 110, SECONDS),
                bugs.lens_moths(stage, 10, seconds=SECONDS)]


def _screen(stage: Stage) -> Paints:
    return [light.screen(stage, rectangle(0.4, 0.12, 0.58, 0.4), 0.9, 0.25)], [
        light.lamp(stage, 0.8, 0.15, 0.45, 12, 27, 44, gain=0.7)]


def _storm(stage: Stage) -> Paints:
    return [weather.gusts(stage, 3)] if stage.place.leaves is not None else [], [
        weather.rain(stage, 140, 38, 0.15), camera.shake(stage, 0.8), weather.drops(stage, 9, SECONDS)]


def _cloth(stage: Stage) -> Paints:
    return [weather.cloth(stage, 0.62, 0.12, 0.2, 0.3, 200, 5), weather.cloth(stage, 0.1, 0.16, 0.1, 0.2, 80, 4)], [
        weather.clouds(stage, 0.35), light.hunting(stage, 14, 36)]


def _thread(stage: Stage) -> Paints:
    return [], [bugs.strand(stage, float(stage.rng.uniform(0.2, 0.8))), bugs.crawler(stage, 15, 25, 10, 70)]


NOBODY: Mapping[str, Callable[[Stage], Paints]] = {
    "wind": _wind, "insects": _insects, "screen": _screen, "storm": _storm, "cloth": _cloth, "thread": _thread}


def _lens(stage: Stage, lit: str, seconds: int = SECONDS) -> list[Paint]:
    noise = LIGHTS[lit].noise
    insects = [bugs.far_insects(stage, 25, seconds=seconds)] if lit == "infrared" else []
    return [*insects, camera.noise(stage, noise, 0.6, 0.3) if noise > 2 else camera.noise(stage, noise)]


PARLOUR = (0.25, 0.9), (0.62, 0.93), (1.1, 0.95)
VERANDA = (0.7, 0.86), (0.35, 0.92), (-0.1, 0.95)
ROOM = (0.3, 0.88), (0.62, 0.92), (1.1, 0.95)

TUNING: dict[str, Callable[[], World]] = {
    **{f"tune_street_{lit}_all": partial(passing, places.street, wide, STREET, seed, lit) for seed, wide, lit in (
        (601, 640, "day"), (602, 320, "dusk"), (603, 640, "night"), (604, 640, "lamps"), (605, 320, "infrared"))},
    **{f"tune_kerb_{lit}_all": partial(passing, places.kerb, wide, KERB, seed, lit) for seed, wide, lit in (
        (611, 320, "day"), (612, 320, "dusk"), (613, 320, "night"), (614, 320, "lamps"), (615, 320, "infrared"))},
    **{f"tune_parlour_{lit}_sits": partial(sitting, places.parlour, wide, PARLOUR, seed, lit) for seed, wide, lit in (
        (621, 640, "day"), (622, 320, "lamps"), (623, 640, "dusk"), (624, 320, "night"), (625, 640, "infrared"))},
    **{f"tune_{place.__name__}_{lit}_{what}_only": partial(nobody, place, 320, seed, lit, what)
       for seed, place, lit, what in (
        (631, places.orchard, "day", "wind"), (632, places.orchard, "night", "wind"),
        (633, places.orchard, "infrared", "insects"), (634, places.street, "lamps", "insects"),
        (635, places.parlour, "night", "screen"), (636, places.kerb, "dusk", "storm"),
        (637, places.orchard, "dusk", "cloth"), (638, places.parlour, "infrared", "thread"))}}
JUDGED: dict[str, Callable[[], World]] = {
    **{f"junction_{lit}_all": partial(passing, places.junction, wide, JUNCTION, seed, lit) for seed, wide, lit in (
        (751, 320, "day"), (752, 640, "dusk"), (753, 320, "night"), (754, 320, "lamps"), (755, 320, "infrared"))},
    **{f"market_{lit}_all": partial(passing, places.market, wide, MARKET, seed, lit) for seed, wide, lit in (
        (761, 320, "day"), (762, 320, "dusk"), (763, 320, "night"), (764, 320, "lamps"), (765, 320, "infrared"))},
    **{f"alley_{lit}_all": partial(passing, places.alley, wide, ALLEY, seed, lit) for seed, wide, lit in (
        (771, 320, "dusk"), (772, 320, "night"), (773, 320, "infrared"))},
    **{f"veranda_{lit}_sits": partial(sitting, places.veranda, wide, VERANDA, seed, lit) for seed, wide, lit in (
        (781, 640, "day"), (782, 320, "dusk"), (783, 640, "night"), (784, 640, "infrared"))},
    **{f"room_{lit}_sits": partial(sitting, places.room, wide, ROOM, seed, lit) for seed, wide, lit in (
        (785, 320, "day"), (786, 640, "dusk"), (787, 320, "infrared"))},
    **{f"{place.__name__}_{lit}_{what}_only": partial(nobody, place, 320, seed, lit, what)
       for seed, place, lit, what in (
        (791, places.veranda, "day", "wind"), (792, places.veranda, "lamps", "wind"),
        (793, places.market, "infrared", "insects"), (794, places.alley, "night", "insects"),
        (795, places.room, "dusk", "screen"), (796, places.veranda, "day", "storm"),
        (797, places.junction, "dusk", "cloth"), (798, places.room, "infrared", "thread"))}}
WORLDS = {**TUNING, **JUDGED}
