"""`[[camera.zone]]`: what is wrong with the zones of a camera, and what they are to the rooms that use them."""
from collections.abc import Iterator

from agent.config.positions import Path
from agent.config.privacy import silenced
from agent.config.settings import Camera, Polygon, Zone
from agent.core.media.model import Point
from agent.core.vision import zones
from agent.core.vision.zones.geometry import lies_within, size_of

ZONES_MAX = 12              # of a camera: their names have to fit the message of an event
SMALLEST = 1e-4             # of the picture: less than a few pixels of what the detector looks at

AREA = "at least 3 corners, each [x, y] with 0 <= x, y <= 1 (0, 0 is the top left of the picture)"
LINE = "at least 2 points, each [x, y] with 0 <= x, y <= 1 (0, 0 is the top left of the picture)"


def points(corners: Polygon) -> tuple[Point, ...]:
    """The corners as the core knows them."""
    return tuple(Point(*corner) for corner in corners)


def zones_of(camera: Camera) -> list[zones.Zone]:
    """The zones that decide what counts: all but those that are ignored, which the detector does not see."""
    return [zones.Zone(each.name, zones.ZoneRule(each.rule), points(each.area), points(each.line),
                       zones.Direction(each.direction), each.dwell_s)
            for each in camera.zone if each.rule != "ignore"]


def faults(camera: Camera) -> Iterator[tuple[Path, str]]:
    """What is wrong: the key, from `zone` on, and the remedy."""
    names: set[str] = set()
    for index, zone in enumerate(camera.zone):
        if zone.name in names:
            yield (("zone", index, "name"),
                   f'"{zone.name}" is taken by another zone of this camera: each needs a name of its own')
        names.add(zone.name)
        wrong = list(_line_faults(zone) if zone.rule == "cross" else _area_faults(zone))
        for key, text in wrong or _unseen(zone, camera):
            yield ("zone", index, key), text
    if len(camera.zone) > ZONES_MAX:
        yield ("zone", ZONES_MAX), f"is one too many: a camera has at most {ZONES_MAX} zones"


def _within(corners: Polygon) -> bool:
    return all(0 <= value <= 1 for corner in corners for value in corner)


def _line_faults(zone: Zone) -> Iterator[tuple[str, str]]:
    if len(zone.line) < 2 or not _within(zone.line):
        yield "line", f'takes {LINE}: rule = "cross" is about what goes over it'
    elif any(a == b for a, b in zip(zone.line, zone.line[1:], strict=False)):
        yield "line", "has the same point twice in a row: leave one out"
    if zone.area:
        yield "area", 'is for the other rules: rule = "cross" takes a line'
    if zone.dwell_s:
        yield "dwell_s", 'is for rule = "dwell"'


def _area_faults(zone: Zone) -> Iterator[tuple[str, str]]:
    if len(zone.area) < 3 or not _within(zone.area):
        yield "area", f'takes {AREA}: rule = "{zone.rule}" is about what is in it'
    elif size_of(points(zone.area)) < SMALLEST:
        yield "area", "encloses next to nothing: its corners lie on one line"
    if zone.line:
        yield "line", f'is for rule = "cross": rule = "{zone.rule}" takes an area'
    if zone.direction != "both":
        yield "direction", 'is for rule = "cross"'
    if zone.rule == "dwell" and not zone.dwell_s:
        yield "dwell_s", 'is missing: rule = "dwell" takes a number of seconds, such as 10'
    if zone.rule != "dwell" and zone.dwell_s:
        yield "dwell_s", 'is for rule = "dwell"'


def _unseen(zone: Zone, camera: Camera) -> Iterator[tuple[str, str]]:
    """A zone that is right by itself but lies where nothing is ever seen."""
    if zone.rule == "ignore":
        return
    key, outline = ("line", zone.line) if zone.rule == "cross" else ("area", [*zone.area, zone.area[0]])
    for dark in (*silenced(camera), *camera.masks):
        if len(dark) >= 3 and _within(dark) and lies_within(points(outline), points(dark)):
            yield key, ("lies within an area that is ignored or masked, so nothing is ever seen there: "
                        "move it, or make that area smaller")
            return
