"""The plot as a file: SVG, or the same drawing in pixels as PNG."""
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import typer

from agent.core.replay import Outcome, Stretch
from agent.core.replay.plot import ENGLISH, Clock, Drawing, plot, svg
from agent.core.replay.plot.drawing import Area, Bar, Label, Line, Shape, Spot
from agent.store.database import StoreError
from agent.tools.tune.times import Times

KINDS = (".svg", ".png")
SCALE = 2                   # pixels of the file for each of the drawing: sharp on a dense screen, too
SHIFT = 4                   # OpenCV takes spots in sixteenths of a pixel
DASH_PX, BREAK_PX = 6.0, 4.0
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_PX = 30.0              # what its scale 1 looks like


def kind(path: Path) -> str:
    """The file's ending. Raises typer.BadParameter for one that is no picture of ours."""
    if path.suffix.lower() not in KINDS:
        raise typer.BadParameter(f"--plot takes a file that ends in {' or '.join(KINDS)}; it is {str(path)!r}")
    return path.suffix.lower()


def draw(path: Path, title: str, outcomes: Sequence[Outcome], stretches: Sequence[Stretch], times: Times) -> None:
    """Write it. Raises StoreError where that can't be."""
    drawing = plot(title, outcomes, stretches, Clock(times.reading_s, times.spell), ENGLISH)
    data = svg(drawing).encode() if kind(path) == ".svg" else png(drawing)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; choose another place with --plot FILE") from error


def png(drawing: Drawing) -> bytes:
    """The drawing as a PNG file."""
    canvas = np.full((round(drawing.height * SCALE), round(drawing.width * SCALE), 3), 255, np.uint8)
    for shape in drawing.shapes:
        _paint(canvas, shape)
    return cv2.imencode(".png", canvas)[1].tobytes()


def _paint(canvas: np.ndarray, shape: Shape) -> None:
    match shape:
        case Bar():
            corners = ((shape.x, shape.y), (shape.x + shape.w, shape.y + shape.h))
            if shape.fill:
                cv2.rectangle(canvas, *map(_fixed, corners), _bgr(shape.fill), cv2.FILLED, cv2.LINE_AA, SHIFT)
            if shape.edge:
                cv2.rectangle(canvas, *map(_fixed, corners), _bgr(shape.edge), SCALE, cv2.LINE_AA, SHIFT)
        case Line():
            pieces = _dashes(*shape.spots[0], *shape.spots[-1]) if shape.dashed else [shape.spots]
            lines = [np.array([_fixed(spot) for spot in piece], np.int32) for piece in pieces]
            cv2.polylines(canvas, lines, False, _bgr(shape.colour), round(shape.width * SCALE), cv2.LINE_AA, SHIFT)
        case Area():
            cv2.fillPoly(canvas, [np.array([_fixed(spot) for spot in shape.spots], np.int32)], _bgr(shape.fill),
                         cv2.LINE_AA, SHIFT)
        case Label():
            _write(canvas, shape)


def _write(canvas: np.ndarray, label: Label) -> None:
    """OpenCV's letters are ASCII only."""
    text = label.text.encode("ascii", "replace").decode()
    scale, thick = SCALE * label.size / FONT_PX, SCALE if label.bold else 1
    (wide, _), _ = cv2.getTextSize(text, FONT, scale, thick)
    left = label.x * SCALE - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
    cv2.putText(canvas, text, (round(left), round(label.y * SCALE)), FONT, scale, _bgr(label.colour), thick,
                cv2.LINE_AA)


def _dashes(x1: float, y1: float, x2: float, y2: float) -> list[tuple[Spot, Spot]]:
    length = max(1e-6, float(np.hypot(x2 - x1, y2 - y1)))
    begins = np.arange(0.0, length, DASH_PX + BREAK_PX) / length
    ends = np.minimum(begins + DASH_PX / length, 1.0)
    return [((x1 + (x2 - x1) * a, y1 + (y2 - y1) * a), (x1 + (x2 - x1) * b, y1 + (y2 - y1) * b))
            for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]


def _fixed(spot: Spot) -> tuple[int, int]:
    return round(spot[0] * SCALE * (1 << SHIFT)), round(spot[1] * SCALE * (1 << SHIFT))


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
