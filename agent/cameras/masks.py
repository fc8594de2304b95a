"""Privacy masks: paints hidden areas black in a YUV 4:2:0 picture, before anything else sees it."""
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from agent.core.media.model import Point
from agent.core.vision.luma import Luma
from agent.core.vision.motion.rect import covered

BLACK, GREY = 16, 128       # luma and chroma of black, ITU-R BT.601 and BT.709 with limited range


class Masks:
    """The polygons of one camera for one picture size, as rectangles that are quick to fill. They cover whole chroma
    samples (2 x 2 pixels) and one more all around, so that no edge of a hidden area shows."""

    def __init__(self, polygons: Sequence[Sequence[tuple[float, float]]], width: int, height: int) -> None:
        """Fits the polygons, in fractions, to a picture of this size. Raises ValueError as `covered` does."""
        across, down = (width + 1) // 2, (height + 1) // 2
        framed = [[Point((x * across + 1) / (across + 2), (y * down + 1) / (down + 2)) for x, y in polygon]
                  for polygon in polygons]      # one sample of frame, so that an edge on the border is inside
        plane = covered(framed, (across + 2, down + 2))
        self._rectangles = [] if plane is None else list(_rectangles(_grown(plane)[1:-1, 1:-1]))

    def __bool__(self) -> bool:
        return bool(self._rectangles)

    def paint(self, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
        """Paints the masks into the planes of one picture: uint8 (height, width), half of both for `u` and `v`."""
        self.paint_luma(y)
        for rows, columns in self._rectangles:
            u[rows, columns] = v[rows, columns] = GREY

    def paint_luma(self, y: np.ndarray) -> None:
        for rows, columns in self._rectangles:
            y[2 * rows.start:2 * rows.stop, 2 * columns.start:2 * columns.stop] = BLACK


class MaskOverlay:
    """The masks for small pictures of a stream that is not encoded here: only motion detection sees them."""

    def __init__(self, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        self._polygons = polygons
        self._shape: tuple[int, ...] = ()
        self._masks: Masks | None = None

    def over(self, picture: Luma) -> Luma:
        """Returns the picture with the masks painted in a copy, because a decoder still needs the original."""
        if not self._polygons:
            return picture
        if self._masks is None or picture.shape != self._shape:
            self._shape, self._masks = picture.shape, Masks(self._polygons, picture.shape[1], picture.shape[0])
        painted = picture.plane.copy()
        self._masks.paint_luma(painted)
        return replace(picture, plane=painted)


def _grown(plane: np.ndarray) -> np.ndarray:
    wide = plane.copy()
    wide[:, 1:] |= plane[:, :-1]
    wide[:, :-1] |= plane[:, 1:]
    grown = wide.copy()
    grown[1:] |= wide[:-1]
    grown[:-1] |= wide[1:]
    return grown


def _rectangles(plane: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """The covered samples as rows x columns, plus a little beside them, because few rectangles are quick to fill. Rows
    form one rectangle as long as their ends differ by at most a 240th of the width."""
    slack = plane.shape[1] // 240
    top, rows = 0, [_spans(plane[0])]
    for row in range(1, len(plane) + 1):
        rows.append(_spans(plane[row]) if row < len(plane) else [])
        if row == len(plane) or not _alike(rows, slack):
            for left, right in _around(rows[:-1]):
                yield slice(top, row), slice(left, right)
            top, rows = row, rows[-1:]


def _alike(rows: Sequence[list[tuple[int, int]]], slack: int) -> bool:
    return len({len(spans) for spans in rows}) == 1 and all(
        max(ends) - min(ends) <= slack for spans in zip(*rows, strict=True) for ends in zip(*spans, strict=True))


def _around(rows: Sequence[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return [(min(left for left, _ in spans), max(right for _, right in spans)) for spans in zip(*rows, strict=True)]


def _spans(row: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
