"""Extends an object to its whole: often only the part that differs most or that moves is confirmed."""
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from agent.core.vision.motion.parts import Part
from agent.core.vision.motion.rect import Edges
from agent.core.vision.motion.settings import MotionSettings

# Changes this near to the known part belong to it: in its heights or widths, and at least in pixels.
_OVER = 0.5, 6
_BESIDE_WALKER = 0.1, 1      # people's parts are above each other, with leaves and drops all around
_BESIDE_VEHICLE = 0.25, 4    # beside things that are wider than tall, or faster than this in sizes a second
_VEHICLE_SIZES_PER_S = 1.0
_NEAR_MAX_PX = 14           # but never farther than this
_STACKED_SHARE = 0.6         # two parts are one object if one has this much of its breadth above or below the other,
_STACKED_GAP_PX = 3          # with no larger gap
_INSIDE_SHARE = 0.7          # a part with this much of its area in a body belongs to that body
_MOVE_SIZES_PER_S = 0.3      # a part that is faster than this, in sizes of the body,
_MOVE_SHARE = 0.4            # and shows this much of it, is the body, which walks on
_GROW = 1.3                  # a standing body grows to at most this many times its first area
_BODIES_MAX = 8


@dataclass(slots=True)
class Body:
    """The extent of a standing person, from when the whole person was visible."""

    edges: Edges
    came_px: float          # its area at that time
    seen_mono_s: float


class Outlines:
    """Remembers bodies while a person stands and only a part stirs: at most eight."""

    def __init__(self, settings: MotionSettings) -> None:
        self._s = settings
        self._bodies: list[Body] = []

    def whole(self, parts: Iterable[Part], core: np.ndarray, now_mono_s: float) -> list[tuple[int, Edges]]:
        """Returns (number, edges) of the objects behind `parts`. `core` (uint8 0/1) are the changes, without halos."""
        self._bodies = [body for body in self._bodies if now_mono_s - body.seen_mono_s < self._s.stay_memory_s]
        grown = [part._replace(edges=_grown(part, core)) for part in parts]
        return [(part.number, self._body(part, now_mono_s)) for part in _united(grown)]

    def _body(self, part: Part, now_mono_s: float) -> Edges:
        body = next((body for body in self._bodies if part.edges.share_in(body.edges) >= _INSIDE_SHARE), None)
        if body is None:
            self._bodies = [*self._bodies, Body(part.edges, part.edges.area_px, now_mono_s)][-_BODIES_MAX:]
            return part.edges
        body.seen_mono_s = now_mono_s
        joined = body.edges.joined(part.edges)
        if part.speed_px_per_s > _MOVE_SIZES_PER_S * body.edges.size_px:
            if body.edges.share_in(part.edges) > _MOVE_SHARE:
                body.edges, body.came_px = part.edges, part.edges.area_px
                return part.edges
        elif joined.area_px < _GROW * body.came_px:
            body.edges = joined
        return joined


def _near_px(length_px: float, share: float, least_px: int) -> float:
    return min(max(share * length_px, least_px), _NEAR_MAX_PX)


def _grown(part: Part, core: np.ndarray) -> Edges:
    edges, (h, w) = part.edges, core.shape
    wide, tall = edges.right - edges.left, edges.bottom - edges.top
    vehicle = wide > tall or part.speed_px_per_s > _VEHICLE_SIZES_PER_S * edges.size_px
    beside = _near_px(wide, *(_BESIDE_VEHICLE if vehicle else _BESIDE_WALKER))
    over = _near_px(tall, *_OVER)
    x0, y0 = max(0, int(edges.left - beside)), max(0, int(edges.top - over))
    window = core[y0:min(h, int(edges.bottom + over) + 1), x0:min(w, int(edges.right + beside) + 1)]
    x, y, found_w, found_h = cv2.boundingRect(window)
    return edges.joined(Edges(x0 + x, y0 + y, x0 + x + found_w, y0 + y + found_h)) if found_w else edges


def _stacked(a: Edges, b: Edges) -> bool:
    beside_px = min(a.right, b.right) - max(a.left, b.left)
    apart_px = max(a.top, b.top) - min(a.bottom, b.bottom)
    return (beside_px >= _STACKED_SHARE * min(a.right - a.left, b.right - b.left) and apart_px <= _STACKED_GAP_PX)


def _united(parts: Iterable[Part]) -> list[Part]:
    whole: list[Part] = []
    for part in parts:
        for other in [each for each in whole if _stacked(each.edges, part.edges)]:
            whole.remove(other)
            larger = max(other, part, key=lambda each: each.edges.size_px)
            part = Part(other.number, other.edges.joined(part.edges), larger.speed_px_per_s)
        whole.append(part)
    return whole
