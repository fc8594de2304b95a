"""Where a camera tells again and again of what is neither person nor vehicle: a place that could be left out. Pure."""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.core.household.labels import PEOPLE, LabelWord
from agent.core.media.model import Box

LEAST_N = 5                 # events in the place; of fewer nobody wants to hear
SHARE = 0.4                 # of all events
PEOPLE_SHARE = 0.1          # of them, at most, so many people and vehicles may have been there, too
STRAY_SHARE = 0.1           # on each side of the place so many of its boxes may reach out of the area
AREA_MAX = 0.25             # of the picture; more is no corner where a tree stands
THIRDS: Sequence[tuple[float, Literal["begin", "middle", "end"]]] = ((1 / 3, "begin"), (2 / 3, "middle"), (1, "end"))


class NamedEvent(NamedTuple):
    """An event that has its word, and where its largest object was in its picture."""

    word: LabelWord
    box: Box


class Ninth(NamedTuple):
    """A ninth of the picture: from the left, from the top."""

    across: Literal["begin", "middle", "end"]
    down: Literal["begin", "middle", "end"]


@dataclass(frozen=True, slots=True)
class ZoneHint:
    """Of `events_n` events `here_n` were in the area and neither people nor vehicles."""

    events_n: int
    here_n: int
    word: LabelWord         # what most of them were
    place: Ninth
    area: Box


def zone_hint(events: Sequence[NamedEvent]) -> ZoneHint | None:
    """The place that tells most of what does not matter; None where it is not worth a word, or people come there."""
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
    """An area around most of the boxes, in whole hundredths of the picture."""
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
    """The area as the configuration writes it."""
    right, bottom = round(area.x + area.w, 2), round(area.y + area.h, 2)
    return [(area.x, area.y), (right, area.y), (right, bottom), (area.x, bottom)]
