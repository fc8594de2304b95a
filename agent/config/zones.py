"""Checks zones, masks and ignored areas of a camera's picture, and converts them for the core."""
from collections.abc import Iterator
from typing import Literal, NamedTuple

from agent.config.derived import silenced
from agent.config.positions import Path
from agent.config.settings import Camera, Polygon, Zone
from agent.core.media.model import Point
from agent.core.vision import zones
from agent.core.vision.zones.geometry import lies_within, size_of

ZONES_MAX = 12              # per camera, because their names must fit into the message of an event
SMALLEST = 1e-4             # of the picture: less than a few pixels for the detector

CORNERS_MIN, POINTS_MIN = 3, 2      # of an area, and of a line

AREA = "at least 3 corners, each [x, y] with 0 <= x, y <= 1 (0, 0 is the top left of the picture)"
FLAT = "encloses next to nothing: its corners lie on one line, or its sides cross"
LINE = "at least 2 points, each [x, y] with 0 <= x, y <= 1 (0, 0 is the top left of the picture)"


def points(corners: Polygon) -> tuple[Point, ...]:
    """Returns the corners as points of the core."""
    return tuple(Point(*corner) for corner in corners)


def zones_of(camera: Camera) -> list[zones.Zone]:
    """Returns the zones that decide what counts; without ignored ones, which the detector does not see."""
    return [zones.Zone(each.name, zones.ZoneRule(each.rule), points(each.area), points(each.line),
                       zones.Direction(each.direction), dwell_s=each.dwell_s)
            for each in camera.zone if each.rule != "ignore"]


FaultCode = Literal["same_name", "too_many", "few_corners", "few_points", "same_point", "flat", "unseen", "no_dwell",
                    "misplaced"]


class DrawnFault(NamedTuple):
    path: Path              # the key below the camera: ("zone", 0, "area"), ("masks", 1)
    code: FaultCode         # for the page, which has its own words
    text: str               # the remedy, for a person who edits the file


def faults(camera: Camera) -> Iterator[DrawnFault]:
    for path, areas in ((("masks",), camera.masks), (("motion", "ignore"), camera.motion.ignore)):
        for index, area in enumerate(areas):
            if len(area) < CORNERS_MIN or not _within(area):
                yield DrawnFault((*path, index), "few_corners", f"takes areas of {AREA}")
            elif size_of(points(area)) < SMALLEST:
                yield DrawnFault((*path, index), "flat", FLAT)
    names: set[str] = set()
    for index, zone in enumerate(camera.zone):
        if zone.name in names:
            yield DrawnFault(("zone", index, "name"), "same_name",
                             f'"{zone.name}" is taken by another zone of this camera: each needs a name of its own')
        names.add(zone.name)
        wrong = list(_line_faults(zone) if zone.rule == "cross" else _area_faults(zone))
        for key, code, text in wrong or _unseen(zone, camera):
            yield DrawnFault(("zone", index, key), code, text)
    if len(camera.zone) > ZONES_MAX:
        yield DrawnFault(("zone", ZONES_MAX), "too_many", f"is one too many: a camera has at most {ZONES_MAX} zones")


KeyFault = tuple[str, FaultCode, str]


def _within(corners: Polygon) -> bool:
    return all(0 <= value <= 1 for corner in corners for value in corner)


def _line_faults(zone: Zone) -> Iterator[KeyFault]:
    if len(zone.line) < POINTS_MIN or not _within(zone.line):
        yield "line", "few_points", f'takes {LINE}: rule = "cross" is about what goes over it'
    elif any(a == b for a, b in zip(zone.line, zone.line[1:], strict=False)):
        yield "line", "same_point", "has the same point twice in a row: leave one out"
    if zone.area:
        yield "area", "misplaced", 'is for the other rules: rule = "cross" takes a line'
    if zone.dwell_s:
        yield "dwell_s", "misplaced", 'is for rule = "dwell"'


def _area_faults(zone: Zone) -> Iterator[KeyFault]:
    if len(zone.area) < CORNERS_MIN or not _within(zone.area):
        yield "area", "few_corners", f'takes {AREA}: rule = "{zone.rule}" is about what is in it'
    elif size_of(points(zone.area)) < SMALLEST:
        yield "area", "flat", FLAT
    if zone.line:
        yield "line", "misplaced", f'is for rule = "cross": rule = "{zone.rule}" takes an area'
    if zone.direction != "both":
        yield "direction", "misplaced", 'is for rule = "cross"'
    if zone.rule == "dwell" and not zone.dwell_s:
        yield "dwell_s", "no_dwell", 'is missing: rule = "dwell" takes a number of seconds, such as 10'
    if zone.rule != "dwell" and zone.dwell_s:
        yield "dwell_s", "misplaced", 'is for rule = "dwell"'


def _unseen(zone: Zone, camera: Camera) -> Iterator[KeyFault]:
    if zone.rule == "ignore":
        return
    key, outline = ("line", zone.line) if zone.rule == "cross" else ("area", [*zone.area, zone.area[0]])
    for dark in (*silenced(camera), *camera.masks):
        if len(dark) >= CORNERS_MIN and _within(dark) and lies_within(points(outline), points(dark)):
            yield key, "unseen", ("lies within an area that is ignored or masked, so nothing is ever seen there: "
                                  "move it, or make that area smaller")
            return
