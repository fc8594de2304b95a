"""Labels an event from its looks: makes the cut-out for the model, and interprets the model's outputs. Pure.

The model is an SSD MobileNetV2 for some classes of Open Images V4 (docs/design/motion.md). In a picture of 300x300 it
has 1917 anchors, boxes of several sizes and shapes. For each it returns scores of its classes and an exact place.
"""
from collections.abc import Mapping, Sequence
from functools import cache
from heapq import nlargest
from statistics import fmean
from typing import NamedTuple

import numpy as np

from agent.core.household.labels import ALIVE, EventWord, LabelWord
from agent.core.media.model import Box

SIDE_PX = 300               # of the model's square input
GROWN = 1.6                 # the cut-out's side as a multiple of the box's longer side, because the surroundings help
LEAST_PX = 64               # of the picture; smaller objects are only encoder blocks
GRIDS = (19, 10, 5, 3, 2, 1)                    # the model's layers, each with anchors around all cells of a grid
SHAPES = (1.0, 2.0, 0.5, 3.0, 1 / 3)            # of the anchors, width over height
SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)     # of the anchors in each layer, and of one more
MOVE, GROW = 10.0, 5.0      # the model's outputs are scaled up by this
# The model's classes by number. All others (boots, tables, boxes, books, bottles) are "other".
WORD_OF: Mapping[int, LabelWord] = {
    1: "vehicle", 4: "person", 6: "animal", 8: "animal", 14: "vehicle", 18: "vehicle", 20: "animal", 23: "vehicle"}
CLASSES_N = 24
# A label counts from this score on.
SURE: Mapping[LabelWord, float] = {"person": 0.3, "vehicle": 0.22, "animal": 0.35, "other": 0.45}
UNSURE = 0.2                # an event is only called "nothing" if all that lives scores less
AGREE_N = 4                 # a label's score is the mean of this many best looks, or of all if there are fewer
# wins over other labels that count, because people pass parked cars
FAVOUR: Mapping[LabelWord, float] = {"person": 0.15}
# a detection with this overlap (intersection by union) with the box is the moving object, not the car behind it
SAME = 0.2

Scores = Mapping[LabelWord, float]      # 0..1


class CutOut(NamedTuple):
    """A part as the model gets it (SIDE_PX, SIDE_PX, RGB), and in it the object's left, top, right and bottom, 0..1."""

    picture: np.ndarray
    edges: tuple[float, float, float, float]


def part_around(box: Box, wide: int, high: int) -> tuple[int, int, int, int]:
    """Returns left, top, width and height of the part around the box of a picture of this size. It is square if the
    picture is large enough, and all four are even, because colour has half as many pixels."""
    side = max(GROWN * max(box.w * wide, box.h * high), LEAST_PX)
    left, width = _span(box.x + box.w / 2, side, wide)
    top, height = _span(box.y + box.h / 2, side, high)
    return left, top, width, height


def _span(middle: float, side: float, most: int) -> tuple[int, int]:
    length = min(round(side / 2) * 2, most & ~1)
    return min(max(round(middle * most / 2 - length / 4) * 2, 0), (most - length) & ~1), length


def edges_in(part: tuple[int, int, int, int], box: Box, wide: int, high: int) -> tuple[float, float, float, float]:
    """Returns the edges of the box in a part of a picture of this size."""
    left, top, width, height = part
    return ((box.x * wide - left) / width, (box.y * high - top) / height,
            ((box.x + box.w) * wide - left) / width, ((box.y + box.h) * high - top) / height)


def model_input(picture: np.ndarray) -> np.ndarray:
    """Converts a cut-out's picture to the model's input, -1..1."""
    return (picture.astype(np.float32) - 127.5) / 127.5


@cache
def anchors() -> np.ndarray:
    """Returns centre (x, y), width and height of each anchor, in the order of the model's outputs."""
    found: list[tuple[float, float, float, float]] = []
    for layer, grid in enumerate(GRIDS):
        scale = SCALES[layer]
        sizes = [(scale * shape ** 0.5, scale / shape ** 0.5) for shape in SHAPES]
        sizes.append(((scale * SCALES[layer + 1]) ** 0.5,) * 2)
        if layer == 0:
            sizes = [(0.1, 0.1), *sizes[1:3]]
        found += [((column + 0.5) / grid, (row + 0.5) / grid, *size)
                  for row in range(grid) for column in range(grid) for size in sizes]
    return np.array(found)


def scores_of(logits: np.ndarray, places: np.ndarray, edges: tuple[float, float, float, float]) -> Scores:
    """Returns the best score of each label among the detections at the object's `edges` in the cut-out. `logits`
    (anchors, CLASSES_N) and `places` (anchors, 4) are the model's outputs."""
    there = logits[_overlap(boxes_of(places), np.array(edges)) >= SAME]
    best = 1 / (1 + np.exp(-there.max(axis=0, initial=-30.0).astype(float)))
    scores: dict[LabelWord, float] = dict.fromkeys(SURE, 0.0)
    for number in range(1, CLASSES_N):
        word = WORD_OF.get(number, "other")
        scores[word] = max(scores[word], float(best[number]))
    return scores


def boxes_of(places: np.ndarray) -> np.ndarray:
    """Returns left, top, right and bottom of the model's detections; its outputs are y, x, height and width."""
    known = anchors()
    middle = known[:, :2] + places[:, [1, 0]] / MOVE * known[:, 2:]
    half = np.exp(np.clip(places[:, [3, 2]] / GROW, -5, 5)) * known[:, 2:] / 2
    return np.hstack([middle - half, middle + half])


def _overlap(boxes: np.ndarray, edges: np.ndarray) -> np.ndarray:
    sides = np.minimum(boxes[:, 2:], edges[2:]) - np.maximum(boxes[:, :2], edges[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    return shared / (_area(boxes) + _area(edges[None]) - shared + 1e-9)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def word_for(looks: Sequence[Scores]) -> EventWord | None:
    """Returns an event's label from the scores of its looks, of which there is at least one; None if it is unsure.

    A moving being scores repeatedly, even if low at night; leaves and light score like a person once. So the mean of
    the best looks counts for each label. Things lie around where people are, and cars stand there, so people win.
    """
    best = {word: fmean(nlargest(AGREE_N, (scores[word] for scores in looks))) for word in SURE}
    sure: list[LabelWord] = [word for word in ALIVE if best[word] >= SURE[word]]
    if not sure and best["other"] >= SURE["other"]:
        sure = ["other"]
    word = max(sure or ALIVE, key=lambda each: best[each] + FAVOUR.get(each, 0.0))
    if not sure and max(best[each] for each in ALIVE) >= UNSURE:
        return None
    return EventWord(word if sure else "nothing", round(best[word], 3))
