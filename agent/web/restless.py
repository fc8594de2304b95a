"""What a camera's page tells of its busy areas: where to draw them, and why motion is silent, in words. Pure."""
from dataclasses import dataclass

from agent.core.busywire import Busy, level
from agent.web.words import Words


@dataclass(frozen=True, slots=True)
class Cell:
    """A restless place: its column and row in the grid, and how strongly it is shown, 1 to 3."""

    column: int
    row: int
    level: int


@dataclass(frozen=True, slots=True)
class Restless:
    """A camera's busy areas; `told` is all there is while nothing is known."""

    told: tuple[str, ...]           # sentences
    cells: tuple[Cell, ...] = ()
    width: int = 0                  # of the picture, pixels
    height: int = 0
    scale: str = ""                 # from cells to pixels, as an SVG transform


def restless(busy: Busy | None, words: Words) -> Restless:
    """`busy` is None while the recorder does not answer."""
    if busy is None or busy.state != "ok":
        return Restless((words("busy.unknown"),))
    cells = tuple(Cell(x, y, shown) for y, row in enumerate(busy.grid) for x, value in enumerate(row)
                  if (shown := level(value)))
    places_n = sum(map(len, busy.grid))
    share = words("busy.share", pct=max(1, round(100 * len(cells) / places_n))) if cells else words("busy.none")
    scale = f"scale({busy.width / len(busy.grid[0]):g} {busy.height / len(busy.grid):g})"
    return Restless((share, *_now(busy, words)), cells, busy.width, busy.height, scale)


def _now(busy: Busy, words: Words) -> list[str]:
    if busy.moving:
        return [words("busy.moving")]
    return [words(f"busy.why.{each}") for each in busy.silences] or [words("busy.still")]
