"""Areas, lines and ways in the picture, as fractions of its width and height. y points down."""
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import hypot

from agent.core.media.model import Box, Point

_TOUCHES = 1e-9         # points nearer to a border are on it, because sums that end at the picture's edge are inexact
_SAMPLES = 32           # tested points of a stretch


def centre(box: Box) -> Point:
    return Point(box.x + box.w / 2, box.y + box.h / 2)


def foot(box: Box) -> Point:
    """Returns where the object in the box stands: the middle of its lower edge."""
    return Point(box.x + box.w / 2, box.y + box.h)


def to_area(at: Point, area: Sequence[Point]) -> float:
    """Returns the distance of a point from an area; 0 inside and on its border."""
    if _inside(at, area):
        return 0.0
    away = min(_to_stretch(at, a, b) for a, b in _sides(area))
    return away if away > _TOUCHES else 0.0


def to_line(at: Point, line: Sequence[Point]) -> float:
    """Returns the distance of a point from a line of two points or more."""
    return min(_to_stretch(at, a, b) for a, b in pairwise(line))


def crossings(start: Point, end: Point, line: Sequence[Point]) -> int:
    """Returns how often the straight way crosses `line` to its left, minus crossings to its right."""
    return sum(_crossing(start, end, a, b) for a, b in pairwise(line))


def lies_within(inner: Sequence[Point], outer: Sequence[Point]) -> bool:
    """Whether the line through the points `inner` is in the area `outer`, by some points of each stretch. An area is
    in another one if its outline is."""
    return all(to_area(Point(a.x + (b.x - a.x) * n / _SAMPLES, a.y + (b.y - a.y) * n / _SAMPLES), outer) == 0
               for a, b in pairwise(inner) for n in range(_SAMPLES + 1))


def size_of(area: Sequence[Point]) -> float:
    """Returns the share of the picture that an area covers, if its sides do not cross."""
    return abs(sum(a.x * b.y - b.x * a.y for a, b in _sides(area))) / 2


def mirrored(points: Sequence[Point], across: bool, down: bool) -> tuple[Point, ...]:
    """Returns the same place after the picture was flipped left to right (`across`), upside down (`down`), or both."""
    return tuple(Point(1 - point.x if across else point.x, 1 - point.y if down else point.y) for point in points)


def _sides(area: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    return pairwise([*area, area[0]])


def _inside(at: Point, area: Sequence[Point]) -> bool:
    """Whether a ray to the right leaves the area an odd number of times: the same rule as for painting masks."""
    odd = False
    for a, b in _sides(area):
        if (a.y > at.y) != (b.y > at.y) and at.x < a.x + (at.y - a.y) * (b.x - a.x) / (b.y - a.y):
            odd = not odd
    return odd


def _to_stretch(at: Point, a: Point, b: Point) -> float:
    dx, dy = b.x - a.x, b.y - a.y
    length2 = dx * dx + dy * dy
    share = min(1.0, max(0.0, ((at.x - a.x) * dx + (at.y - a.y) * dy) / length2)) if length2 else 0.0
    return hypot(at.x - a.x - share * dx, at.y - a.y - share * dy)


def _turn(a: Point, b: Point, at: Point) -> float:
    """Below 0 if `at` is left of the way from `a` to `b`, above 0 if right."""
    return (b.x - a.x) * (at.y - a.y) - (b.y - a.y) * (at.x - a.x)


def _crossing(start: Point, end: Point, a: Point, b: Point) -> int:
    """1 if the way crosses the stretch from `a` to `b` to its left, -1 if to its right, else 0."""
    was_left, is_left = _turn(a, b, start) < 0, _turn(a, b, end) < 0
    if was_left == is_left or (_turn(start, end, a) < 0) == (_turn(start, end, b) < 0):
        return 0
    return 1 if is_left else -1
