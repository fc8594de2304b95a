"""Collects facts about an open event: peak, zones, number of objects, and their paths. Pure and bounded."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agent.core.media.model import Box

if TYPE_CHECKING:       # not at run time, because the detector's room loads OpenCV and the store reads summaries
    from agent.core.vision.motion.look import SeenObject

PATH_MAX = 80           # samples of a path, so that an event's message stays below 4 KB
AT_ONCE_MAX = 8         # objects in one sample, the largest first
NUMBERS_MAX = 256       # object numbers of the detector to remember: the latest


class PathSample(NamedTuple):
    """An object's place at a moment of the event, in thousandths of the picture's width and height."""

    at_ds: int          # tenths of a second since the event began
    number: int         # of the object, counted from 1 within the event
    x: int              # the top left corner of its box
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The facts about a finished event."""

    score: float = 0.0                      # the peak: share of the picture that had changed, 0..1
    zones: tuple[str, ...] = ()             # fulfilled zones, in the order in which they first were
    tracks_n: int = 0                       # objects
    path: tuple[PathSample, ...] = ()


class EventNotes:
    """The facts about one open event. A longer event's path has fewer samples a second, not more in total."""

    def __init__(self, start_mono_s: float) -> None:
        self._start_mono_s = start_mono_s
        self._score = 0.0
        self._zones: dict[str, None] = {}
        self._numbers: dict[int, int] = {}      # the detector's -> ours; the latest comes last
        self._tracks_n = 0
        self._path: list[PathSample] = []
        self._step_ds = 1                       # the least distance of samples

    def note(self, objects: Sequence["SeenObject"], zones: Sequence[str], score: float, mono_s: float) -> None:
        """Adds the event's part of one look. `objects` are sorted, largest first."""
        self._score = max(self._score, score)
        self._zones.update(dict.fromkeys(zones))
        numbers = [self._number(seen.number) for seen in objects]
        at_ds = max(0, round((mono_s - self._start_mono_s) * 10))
        if not self._path or at_ds >= self._path[-1].at_ds + self._step_ds:
            boxes = [seen.box for seen in objects[:AT_ONCE_MAX]]
            self._path += [_sample(at_ds, number, box) for number, box in zip(numbers, boxes, strict=False)]
        while len(self._path) > PATH_MAX:
            self._step_ds *= 2
            self._path = _spaced(self._path, self._step_ds)

    def renumber(self) -> None:
        """Another detector takes over, whose numbers are unrelated to the earlier ones."""
        self._numbers.clear()

    @property
    def summary(self) -> Summary:
        return Summary(self._score, tuple(self._zones), self._tracks_n, tuple(self._path))

    def _number(self, theirs: int) -> int:
        ours = self._numbers.pop(theirs, 0)
        if not ours:
            self._tracks_n += 1
            ours = self._tracks_n
        if len(self._numbers) >= NUMBERS_MAX:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[theirs] = ours
        return ours


def _sample(at_ds: int, number: int, box: Box) -> PathSample:
    return PathSample(at_ds, number, *(round(1000 * side) for side in box))


def _spaced(path: Sequence[PathSample], step_ds: int) -> list[PathSample]:
    kept: list[PathSample] = []
    for sample in path:
        if not kept or sample.at_ds == kept[-1].at_ds or sample.at_ds >= kept[-1].at_ds + step_ds:
            kept.append(sample)
    return kept
