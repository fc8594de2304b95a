"""How good reports of motion are, against labelled clips: events found, false events, delay, boxes.

A clip's truth says of each frame whether something real moves (1), nothing does (0), or it does not matter (-1), and
where; a report says the same of one moment. A report holds until the next one, but not for longer than HOLD_S.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

WARM_UP_S = 3.0         # of each clip, in which nothing counts
HOLD_S = 0.55
LEAD_S, TAIL_S = 0.3, 2.0       # this close before and after something that is not quiet, motion is not false
MERGE_S = 2.0           # false alarms closer than this are one false event ...
UNIT_S = 10.0           # ... that counts again for every ten seconds it has begun
GAP_S = 1.0             # events closer than this are one
EVENT_S = 0.3           # and those shorter than this are none
LATE_S = 0.5            # so long after its end an event is still found
GRID = 64               # cells each way in which the cover of boxes is compared

Box = Sequence[float]                   # left, top, width, height, in the clip's pixels
Span = tuple[int, int]                  # first and last frame


class Report(NamedTuple):
    """What a detector says of one moment."""

    at_s: float
    motion: bool
    boxes: Sequence[Box] = ()


@dataclass
class Score:
    """What came out, of one clip or of many. Seconds of frames rather than frames: clips have different rates."""

    events: int = 0
    hits: int = 0
    false_events: int = 0
    quiet_clips_false_events: int = 0           # those in clips in which nothing real moves at all
    found_s: float = 0.0                        # of motion that is real: reported, and not
    missed_s: float = 0.0
    false_s: float = 0.0                        # of quiet: reported as motion, and not
    still_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    boxes: int = 0                              # real ones in frames with reported boxes, and those whose middle
    boxes_met: int = 0                          # lies in a reported box
    overlaps: list[float] = field(default_factory=list)

    @property
    def event_f1(self) -> float | None:
        """Events found and false ones in a single figure; None if there was nothing to find nor anything found."""
        wrong = self.events - self.hits + self.false_events
        return 2 * self.hits / (2 * self.hits + wrong) if self.events and self.hits + self.false_events else None

    @property
    def frame_f1(self) -> float | None:
        """The same of seconds instead of events."""
        reported_s = self.found_s + self.false_s
        return 2 * self.found_s / (reported_s + self.found_s + self.missed_s) if reported_s and self.events else None

    @property
    def active_share(self) -> float | None:
        """The share of quiet time that is reported as motion."""
        return _share(self.false_s, self.false_s + self.still_s)

    @property
    def false_per_hour(self) -> float | None:
        """False events in an hour of quiet."""
        return _share(3600 * self.false_events, self.false_s + self.still_s)

    @property
    def box_centre_recall(self) -> float | None:
        """The share of real boxes whose middle lies in a reported one."""
        return _share(self.boxes_met, self.boxes)

    @property
    def box_iou(self) -> float | None:
        """Intersection over union of real and reported boxes, on average."""
        return _share(sum(self.overlaps), len(self.overlaps))

    def delay_s(self, quantile: float) -> float | None:
        """How late events are found; 0.5 is the median."""
        delays = sorted(self.delays_s)
        return delays[min(len(delays) - 1, int(quantile * len(delays)))] if delays else None


def total(scores: Iterable[Score]) -> Score:
    """All of them together."""
    sum_up = Score()
    for score in scores:
        for name, value in vars(score).items():
            setattr(sum_up, name, getattr(sum_up, name) + value)
    return sum_up


def score_clip(truth: dict, reports: Iterable[Report]) -> Score:
    """Compare one clip's reports with its truth, the content of gt/NAME.json."""
    labels, fps = np.array(truth["labels"]), truth["fps"]
    spoken = _spoken(sorted(reports), len(labels), fps)
    motion = np.array([said is not None and said.motion for said in spoken])
    counted = np.arange(len(labels)) >= int(WARM_UP_S * fps)
    real, quiet = (labels == 1) & counted, quiet_frames(labels, fps) & counted
    score = Score(found_s=float((real & motion).sum() / fps), missed_s=float((real & ~motion).sum() / fps),
                  false_s=float((quiet & motion).sum() / fps), still_s=float((quiet & ~motion).sum() / fps))
    _events(score, real_events(truth), motion, fps)
    alarms = merged(spans(motion & quiet), MERGE_S * fps)
    score.false_events = sum(-(-(last - first + 1) // max(1, int(UNIT_S * fps))) for first, last in alarms)
    if not (labels == 1).any():
        score.quiet_clips_false_events = score.false_events
    for frame in np.flatnonzero(real & motion):
        _boxes(score, truth["boxes"][frame], spoken[frame].boxes, (truth["width"], truth["height"]))
    return score


def spans(flags: np.ndarray) -> list[Span]:
    """The unbroken stretches of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in edges.reshape(-1, 2)]


def merged(stretches: Iterable[Span], gap: float) -> list[Span]:
    """Stretches with at most `gap` frames between them as one."""
    joined: list[Span] = []
    for first, last in stretches:
        if joined and first - joined[-1][1] - 1 <= gap:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _spoken(reports: list[Report], frames: int, fps: float) -> list[Report | None]:
    """The report that holds at the middle of each frame."""
    middles_s = np.arange(frames) / fps + 0.5 / fps
    latest = np.searchsorted([report.at_s for report in reports], middles_s, side="right") - 1
    return [reports[k] if k >= 0 and middle_s - reports[k].at_s <= HOLD_S + 0.5 / fps else None
            for k, middle_s in zip(latest.tolist(), middles_s.tolist(), strict=True)]


def _frames(seconds: float, fps: float) -> int:
    return int(seconds * fps + 0.5)


def quiet_frames(labels: np.ndarray, fps: float) -> np.ndarray:
    """Frames in which motion is false: nothing that moves, or may, is near."""
    quiet = labels == 0
    for first, last in spans(labels != 0):
        quiet[max(0, first - _frames(LEAD_S, fps)):last + _frames(TAIL_S, fps) + 1] = False
    return quiet


def real_events(truth: dict) -> list[Span]:
    """What a clip has to find."""
    labels, fps = np.array(truth["labels"]), truth["fps"]
    real = (labels == 1) & (np.arange(len(labels)) >= int(WARM_UP_S * fps))
    return [(first, last) for first, last in merged(spans(real), GAP_S * fps) if last - first + 1 >= EVENT_S * fps]


def _events(score: Score, events: Iterable[Span], motion: np.ndarray, fps: float) -> None:
    for first, last in events:
        score.events += 1
        begin = max(0, first - _frames(LEAD_S, fps))
        seen = np.flatnonzero(motion[begin:last + _frames(LATE_S, fps) + 1])
        if len(seen):
            score.hits += 1
            score.delays_s.append(max(0, begin + int(seen[0]) - first) / fps)


def _boxes(score: Score, real: Sequence[Box], said: Sequence[Box], size: tuple[int, int]) -> None:
    if not real or not said:
        return
    score.boxes += len(real)
    score.boxes_met += sum(any(x <= left + w / 2 <= x + wide and y <= top + h / 2 <= y + tall
                               for x, y, wide, tall in said) for left, top, w, h in real)
    ours, theirs = _cover(real, size), _cover(said, size)
    score.overlaps.append(float((ours & theirs).sum() / max(1, (ours | theirs).sum())))


def _cover(boxes: Sequence[Box], size: tuple[int, int]) -> np.ndarray:
    """The cells of a grid over the picture that the boxes touch; a box has at least one each way."""
    cells, (wide, tall) = np.zeros((GRID, GRID), bool), size
    for x, y, w, h in boxes:
        left, right = int(max(0, x) * GRID / wide), int(min(wide, x + w) * GRID / wide)
        top, bottom = int(max(0, y) * GRID / tall), int(min(tall, y + h) * GRID / tall)
        cells[top:max(top + 1, bottom), left:max(left + 1, right)] = True
    return cells


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
