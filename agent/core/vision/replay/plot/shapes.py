"""The few shapes that a plot is made of. Lengths are pixels of a screen, from the top left corner."""
from typing import Literal, NamedTuple

Spot = tuple[float, float]      # x, y


class Bar(NamedTuple):
    """A rectangle; without `fill` only its edge, without `edge` only its inside. Colours are "#rrggbb"."""

    x: float
    y: float
    w: float
    h: float
    fill: str = ""
    edge: str = ""


class PlotLine(NamedTuple):
    """A line through these spots; dashed ones go straight from the first to the last."""

    spots: tuple[Spot, ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


class Area(NamedTuple):
    """The inside of a polygon."""

    spots: tuple[Spot, ...]
    fill: str


class Label(NamedTuple):
    """A line of text; (`x`, `y`) is on its base line, where `anchor` says."""

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = "#1f2328"
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


Shape = Bar | PlotLine | Area | Label


class Drawing(NamedTuple):
    """Shapes on white, the first ones below the later ones; `title` and `told` say in words what is to be seen."""

    width: float
    height: float
    title: str
    told: str
    shapes: tuple[Shape, ...]
