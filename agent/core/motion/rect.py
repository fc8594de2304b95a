"""Rectangles with fractions of pixels, as four sides."""
from typing import NamedTuple


class Edges(NamedTuple):
    """Sides in pixels of the analysed picture; the right and lower ones lie just outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def size_px(self) -> float:
        """The longer side."""
        return max(self.right - self.left, self.bottom - self.top)

    @property
    def area_px(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.bottom - self.top)

    def touches(self, other: "Edges") -> bool:
        """True if the two have a place in common."""
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)

    def share_in(self, other: "Edges") -> float:
        """Share of its area that lies in `other`, 0..1."""
        w = min(self.right, other.right) - max(self.left, other.left)
        h = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, w) * max(0.0, h) / self.area_px

    def joined(self, other: "Edges") -> "Edges":
        """The smallest rectangle around both."""
        return Edges(min(self.left, other.left), min(self.top, other.top),
                     max(self.right, other.right), max(self.bottom, other.bottom))
