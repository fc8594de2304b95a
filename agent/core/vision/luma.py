"""The brightness of one picture, as motion looks at it: in full range, 0 black to 255 white, whatever the stream's."""
from dataclasses import dataclass, field

import cv2
import numpy as np

BLACK, WHITE = 16, 235          # in video's limited range
_STRETCH = 255 / (WHITE - BLACK)
_BASE_PX = 320          # longer side that a large picture is halved to, at the least, before it is stretched
_ALL = slice(None)

Size = tuple[int, int]      # width, height


@dataclass(slots=True, eq=False)
class Luma:
    """A small picture for motion, stretched to full range where and in the size that somebody looks at it.

    `plane` is uint8, shape (height, width), C order or a strided view. The array belongs to the source and may be
    overwritten once `step` has returned. The camera's own numbers are None where the source does not tell.
    """

    plane: np.ndarray
    mono_s: float
    exposure_us: float | None = None
    gain: float | None = None
    lux: float | None = None
    focus: float | None = None      # how sharp the camera finds the picture; it means something only beside itself
    key_mono_s: float | None = None     # of the keyframe that it leans on; None for a picture from before any encoder
    limited: bool = False       # the plane has video's range: 16 black, 235 white
    _base: np.ndarray | None = field(default=None, init=False, repr=False)      # what smaller ones are made from

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.plane.shape

    @property
    def y(self) -> np.ndarray:
        """All of it in full range."""
        return self.part()

    def part(self, rows: slice = _ALL, columns: slice = _ALL) -> np.ndarray:
        """A part of it in full range; a view of the plane if that has it."""
        return self._stretched(self.plane[rows, columns])

    def shrunken(self, size: Size) -> np.ndarray:
        """A copy of it in full range in `size`, up to 320 pixels a side: each pixel the mean of those it stands for."""
        if self._base is None:
            self._base = self._stretched(self._halved())
        return cv2.resize(self._base, size, interpolation=cv2.INTER_AREA)

    def _halved(self) -> np.ndarray:
        """A large picture as far as it divides: OpenCV halves twice in a sixth of the time that a quarter takes."""
        plane, (h, w) = self.plane, self.shape
        while w % 2 == h % 2 == 0 and max(w, h) >= 2 * _BASE_PX:
            h, w = h // 2, w // 2
            plane = cv2.resize(plane, (w, h), interpolation=cv2.INTER_AREA)
        return plane

    def _stretched(self, plane: np.ndarray) -> np.ndarray:
        """OpenCV does it in a quarter of the time of np.take."""
        return cv2.addWeighted(plane, _STRETCH, plane, 0.0, -BLACK * _STRETCH) if self.limited else plane
