"""A drawing as SVG: one text that any browser shows, and a screen reader can tell of."""
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from agent.core.vision.replay.plot.shapes import Area, Bar, Drawing, Label, PlotLine, Shape, Spot

FONT = "system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif"


def svg(drawing: Drawing) -> str:
    """The drawing as an SVG document that is as wide as its place allows."""
    shapes = "\n".join(map(_shape, drawing.shapes))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width:g} {drawing.height:g}" '
            f'width="{drawing.width:g}" role="img" aria-label={quoteattr(_clean(drawing.title))} '
            f'font-family="{FONT}">\n<title>{escape(_clean(drawing.title))}</title>\n'
            f"<desc>{escape(_clean(drawing.told))}</desc>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{shapes}\n</svg>\n')


def _shape(shape: Shape) -> str:
    match shape:
        case Bar():
            edge = f' stroke="{shape.edge}" stroke-width="1.5"' if shape.edge else ""
            return (f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.w:.1f}" height="{shape.h:.1f}" '
                    f'fill="{shape.fill or "none"}"{edge}/>')
        case PlotLine():
            dashes = ' stroke-dasharray="6 4"' if shape.dashed else ""
            return (f'<polyline points="{_spots(shape.spots)}" fill="none" stroke="{shape.colour}" '
                    f'stroke-width="{shape.width:g}" stroke-linejoin="round"{dashes}/>')
        case Area():
            return f'<polygon points="{_spots(shape.spots)}" fill="{shape.fill}"/>'
        case Label():
            weight = ' font-weight="600"' if shape.bold else ""
            return (f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" fill="{shape.colour}" '
                    f'text-anchor="{shape.anchor}"{weight}>{escape(_clean(shape.text))}</text>')


def _spots(spots: Sequence[Spot]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def _clean(text: str) -> str:
    """Without what XML forbids: a file's name may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
