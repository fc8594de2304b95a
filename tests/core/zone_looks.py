"""Looks made by hand for tests of zones: somebody of a known size whose foot is told, and zones drawn around them."""
from collections.abc import Iterable, Sequence

from agent.core.media.model import Box, Point
from agent.core.vision.motion.look import Look, SeenObject
from agent.core.vision.zones import Counted, Direction, Zone, ZoneRule, Zones

WIDE, TALL = 0.04, 0.1
MARGIN = 0.02           # which their size comes to: see traces.py
STEP_S = 0.2

Foot = tuple[float, float]


def box(x: float, y: float) -> Box:
    """The box of somebody whose foot is there."""
    return Box(x - WIDE / 2, y - TALL, WIDE, TALL)


def look(*feet: tuple[int, float, float]) -> Look:
    """One of the detector's looks: (number, x, y of the foot) of each object."""
    return Look(bool(feet), 0.01, tuple(SeenObject(number, box(x, y)) for number, x, y in feet))


def area(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """A rectangle."""
    return Point(left, top), Point(right, top), Point(right, bottom), Point(left, bottom)


def zone(rule: ZoneRule, corners: Iterable[Foot], name: str = "gate", **keys: object) -> Zone:
    """A zone by its rule's shape."""
    shape = tuple(Point(*corner) for corner in corners)
    return Zone(name, rule, **{"line" if rule is ZoneRule.CROSS else "area": shape}, **keys)


def line(direction: Direction = Direction.BOTH, *corners: Foot) -> Zone:
    """A line to cross; without corners, one straight down the middle of the picture's lower half."""
    return zone(ZoneRule.CROSS, corners or ((0.5, 0.4), (0.5, 1.0)), direction=direction)


def watch(zones: Sequence[Zone], looks: Iterable[Look], step_s: float = STEP_S) -> list[Counted]:
    """What counts, look by look, `step_s` apart."""
    at_work = Zones(zones)
    return [at_work.step(each, number * step_s) for number, each in enumerate(looks)]


def walk(*feet: Foot, number: int = 1) -> list[Look]:
    """One object, a look at each foot."""
    return [look((number, x, y)) for x, y in feet]


def fulfilled(counted: Iterable[Counted]) -> list[bool]:
    """Whether anything counts, look by look."""
    return [bool(each.objects) for each in counted]
