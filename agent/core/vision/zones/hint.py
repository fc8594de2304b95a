"""Finds a place where a camera often reports neither a person nor a vehicle, so that it could be ignored. Pure."""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.core.household.labels import PEOPLE, LabelWord
from agent.core.media.model import Box

LEAST_N = 5                 # least events in the place; fewer do not matter
SHARE = 0.4                 # of all events
PEOPLE_SHARE = 0.1          # limit of people and vehicles in the place, relative to the events there
STRAY_SHARE = 0.1           # share of boxes that may extend beyond each side of the area
AREA_MAX = 0.25             # of the picture; a larger place is more than a corner with a tree
THIRDS: Sequence[tuple[float, Literal["begin", "middle", "end"]]] = ((1 / 3, "begin"), (2 / 3, "middle"), (1, "end"))


class NamedEvent(NamedTuple):
    """A labelled event, and the box of its largest object in its picture."""

    word: LabelWord
    box: Box


class Ninth(NamedTuple):
    """A ninth of the picture: from the left, from the top."""

    across: Literal["begin", "middle", "end"]
    down: Literal["begin", "middle", "end"]


@dataclass(frozen=True, slots=True)
class ZoneHint:
    """`here_n` of `events_n` events were in the area and neither people nor vehicles."""

    events_n: int
    here_n: int
    word: LabelWord         # the most frequent label
    place: Ninth
    area: Box


def zone_hint(events: Sequence[NamedEvent]) -> ZoneHint | None:
    """Returns the place with the most unimportant events; None if there are few, or if people come there."""
    idle: dict[Ninth, list[NamedEvent]] = {}
    for event in events:
        if event.word not in PEOPLE:
            idle.setdefault(_place(event.box), []).append(event)
    place, here = max(idle.items(), key=lambda each: len(each[1]), default=(None, []))
    if place is None or len(here) < max(LEAST_N, SHARE * len(events)):
        return None
    area = _around([event.box for event in here])
    people_n = sum(event.word in PEOPLE and _meet(event.box, area) for event in events)
    if area.w * area.h > AREA_MAX or people_n > PEOPLE_SHARE * len(here):
        return None
    (word, _), = Counter(event.word for event in here).most_common(1)
    return ZoneHint(len(events), len(here), word, place, area)


def _place(box: Box) -> Ninth:
    across, down = (next(name for end, name in THIRDS if middle <= end or end == 1)
                    for middle in (box.x + box.w / 2, box.y + box.h / 2))
    return Ninth(across, down)


def _around(boxes: Sequence[Box]) -> Box:
    stray_n = int(STRAY_SHARE * len(boxes))
    left, top = (sorted(values)[stray_n] for values in zip(*((box.x, box.y) for box in boxes), strict=True))
    right, bottom = (sorted(values)[-1 - stray_n]
                     for values in zip(*((box.x + box.w, box.y + box.h) for box in boxes), strict=True))
    left, top, right, bottom = (min(max(round(edge, 2), 0.0), 1.0) for edge in (left, top, right, bottom))
    return Box(left, top, right - left, bottom - top)


def _meet(one: Box, other: Box) -> bool:
    return (one.x < other.x + other.w and other.x < one.x + one.w
            and one.y < other.y + other.h and other.y < one.y + one.h)


def corners(area: Box) -> list[tuple[float, float]]:
    """Returns the area in the configuration's form."""
    right, bottom = round(area.x + area.w, 2), round(area.y + area.h, 2)
    return [(area.x, area.y), (right, area.y), (right, bottom), (area.x, bottom)]
