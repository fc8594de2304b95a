"""What a world is made of: a place, pictures on float32 grey levels, and what paints on them.

Positions are fractions of the picture, so that a world can be made at any size; strengths in pixels are those of a
picture 320 wide.
"""
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

WIDE_PX = 320

Paint = Callable[[np.ndarray, float], np.ndarray]       # (picture, second) -> picture
Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Place:
    """An empty scene: grey levels, where wind and water play (0..1), and how tall people are where they stand."""

    picture: np.ndarray
    far: tuple[float, float] = (0.45, 0.12)     # feet at this height, and how tall then, fractions of the height
    near: tuple[float, float] = (1.0, 0.6)
    leaves: np.ndarray | None = None
    water: np.ndarray | None = None

    def tall(self, y: float) -> float:
        """How tall a person is whose feet are at `y`."""
        (y0, tall0), (y1, tall1) = self.far, self.near
        return max(0.02, tall0 + (tall1 - tall0) * (y - y0) / (y1 - y0))

    def area(self, corners: Corners, soft_px: float = 4) -> np.ndarray:
        """1 inside of the outline, 0 outside of it, with a soft edge."""
        return area(self.picture.shape, corners, soft_px)


@dataclass
class Stage:
    """A place for some seconds, with the random numbers of this world."""

    place: Place
    seed: int
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    @property
    def height(self) -> int:
        """Of the picture, in its own pixels."""
        return self.place.picture.shape[0]

    @property
    def width(self) -> int:
        """Of the picture, in its own pixels."""
        return self.place.picture.shape[1]

    @property
    def unit(self) -> float:
        """The picture's own pixels in a pixel of one that is 320 wide."""
        return self.width / WIDE_PX

    def cloud(self, cell_px: float, deviation: float = 1.0) -> np.ndarray:
        """A soft random field with structures of about this size, mean 0."""
        return texture(self.rng, (self.height, self.width), cell_px * self.unit, deviation)


def texture(rng: np.random.Generator, shape: tuple[int, int], cell_px: float, deviation: float = 1.0) -> np.ndarray:
    """A smooth random field, mean 0, of this deviation."""
    cells = (max(2, round(shape[0] / cell_px) + 1), max(2, round(shape[1] / cell_px) + 1))
    coarse = rng.standard_normal(cells, np.float32)
    fine = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (fine - fine.mean()) * np.float32(deviation / max(1e-6, float(fine.std())))


def area(shape: tuple[int, int], corners: Corners, soft_px: float = 4) -> np.ndarray:
    """1 inside of the outline (fractions of the picture), 0 outside of it, with a soft edge."""
    mask = np.zeros(shape, np.float32)
    outline = np.rint(np.asarray(corners) * (shape[1], shape[0])).astype(np.int32)
    cv2.fillPoly(mask, [outline], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), soft_px) if soft_px else mask


def rectangle(left: float, top: float, right: float, bottom: float) -> Corners:
    """An outline for `area`."""
    return (left, top), (right, top), (right, bottom), (left, bottom)
