"""Small drawn scenes with their truth, for the fit: light, losses and insects that clips have too rarely, and people.

They are the happenings of tests/scenes.py at other places, times and strengths than in the tests.
"""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agent.core.vision.luma import Luma
from tests.scenes import (
    HEIGHT,
    START_MONO_S,
    WIDTH,
    Happening,
    Walk,
    car,
    crawler,
    departing_car,
    gusts,
    headlights,
    hunting,
    infrared,
    insects,
    keyframes,
    lamp,
    laundry,
    moths,
    motorbike,
    noise,
    pictures,
    rain,
    shake,
)

FPS = 15.0
SEEDS_N = 6
SCENE_S = 24.0
SHOWS_LEVELS = 8.0      # a picture shows somebody where it differs by more than this


Uniform = Callable[[float, float], float]


class Drawn(NamedTuple):
    """A scene: its name, pictures (their clock begins at 0), and truth as in gt/NAME.json."""

    name: str
    lumas: list[Luma]
    truth: dict


NOBODY = ("lamp", "flash", "infrared", "hunting", "keyframes", "gusts", "pane", "lens", "moths", "insects", "laundry",
          "rain", "shake", "beams")
PEOPLE = ("lamp", "infrared", "insects", "moths", "faint", "gusts", "stops", "bike", "car", "leaves")
SCENES = tuple(f"{kind}{only}_{seed}" for seed in range(101, 101 + SEEDS_N)
               for kinds, only in ((NOBODY, "_only"), (PEOPLE, "")) for kind in kinds)


def scene(name: str) -> Drawn:
    """The scene of this name, one of SCENES. Raises KeyError for an unknown kind."""
    kind, *only, seed = name.split("_")
    rng = np.random.default_rng(int(seed))
    u = rng.uniform
    dusk, at, back = float(u(0.3, 0.55)), float(u(6, 10)), float(u(14, 20))
    if only:
        happenings, light = _nobody(u, dusk, at, back)[kind]
        who = None
    else:
        who, happenings, light = _people(u, dusk, at, back)[kind]
    return _drawn(name, who, [*happenings, noise(float(u(1, 2.5)))], light, int(seed))


def _nobody(u: Uniform, dusk: float, at: float, back: float) -> dict[str, tuple[list[Happening], float]]:
    return {
        "lamp": ([lamp(at, back, float(u(0.6, 2.2)))], 1.0), "flash": ([lamp(at, at + float(u(0.2, 0.6)))], 1.0),
        "infrared": ([infrared(at, back)], 1.0), "hunting": ([hunting(5, float(u(0.1, 0.25)))], 1.0),
        "keyframes": ([keyframes(blur_px=float(u(1, 2.2)))], 1.0), "gusts": ([gusts(float(u(1.5, 3.5)))], 1.0),
        "pane": ([crawler(5, float(u(8, 26)), float(u(8, 18)), -float(u(40, 90)))], 1.0),
        "lens": ([crawler(5, float(u(8, 26)), float(u(8, 18)), float(u(40, 130)))], dusk),
        "moths": ([moths(4, int(u(2, 5)), float(u(80, 240)), float(u(40, 90)))], dusk),
        "insects": ([insects(int(u(2, 5)))], dusk), "laundry": ([laundry(int(u(3, 6)), float(u(3, 6)))], 1.0),
        "rain": ([rain(int(u(25, 80)))], 1.0), "shake": ([shake(float(u(0.8, 2)))], 1.0),
        "beams": ([headlights(at, float(u(60, 130)))], dusk)}


def _people(u: Uniform, dusk: float, at: float, back: float) -> dict[str, tuple[Happening, list[Happening], float]]:
    walk = Walk(at + float(u(0.1, 0.6)), float(u(20, 140)), float(u(120, 165)), float(u(16, 34)), float(u(26, 60)),
                float(u(25, 80)))
    faint = Walk(6.0, float(u(30, 100)), 150.0, float(u(8, 16)), float(u(36, 50)), float(u(76, 84)))
    return {
        "lamp": (walk, [lamp(at, light=2.0)], 1.0), "infrared": (walk, [infrared(at - 4, back)], 1.0),
        "insects": (walk, [insects()], dusk), "moths": (walk, [moths(4)], dusk), "faint": (faint, [], dusk),
        "gusts": (walk, [gusts()], 1.0), "stops": (walk._replace(rest_s=at + 2.5, sway_px=3.0), [], 1.0),
        "bike": (motorbike(at, float(u(16, 36)), float(u(2, 7))), [], 1.0), "car": (car(at, at + 9), [], 1.0),
        "leaves": (departing_car(at, float(u(60, 160))), [], 1.0)}


def _drawn(name: str, who: Happening | None, happenings: list[Happening], light: float, seed: int) -> Drawn:
    film = pictures(SCENE_S, FPS, *([who] if who else []), *happenings, seed=seed, light=light)
    lumas = [Luma(luma.plane, luma.mono_s - START_MONO_S) for luma in film]
    boxes, before = [], None
    rng = np.random.default_rng(0)
    for luma in lumas:
        shown = who(np.zeros((HEIGHT, WIDTH), np.float32), luma.mono_s, rng) if who else None
        boxes.append(_box(shown, before))
        before = shown
    labels = [-1 if box == [] else int(box is not None) for box in boxes]
    return Drawn(name, lumas, {"clip": name, "fps": FPS, "width": WIDTH, "height": HEIGHT, "labels": labels,
                               "boxes": [[box] if box else [] for box in boxes]})


def _box(shown: np.ndarray | None, before: np.ndarray | None) -> list[float] | None:
    """Where somebody moves; None if nobody is there; empty for somebody who stands still."""
    rows, columns = np.nonzero(np.abs(shown) > SHOWS_LEVELS) if shown is not None else ((), ())
    if not len(rows):
        return None
    if before is not None and np.abs(shown - before).max() < SHOWS_LEVELS:
        return []
    left, top = int(columns.min()), int(rows.min())
    return [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
