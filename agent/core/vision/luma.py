"""The brightness of one picture for motion, in full range: 0 black to 255 white, whatever the stream's range."""
from dataclasses import dataclass, field

import cv2
import numpy as np

BLACK, WHITE = 16, 235          # limits of video's limited range
_STRETCH = 255 / (WHITE - BLACK)
_BASE_PX = 320          # a large picture is halved down to at least this longer side before it is stretched
_ALL = slice(None)

Size = tuple[int, int]      # width, height


@dataclass(slots=True, eq=False)
class Luma:
    """A small picture for motion. It is stretched to full range only where and in the size that it is used.

    `plane` is uint8, shape (height, width), C order or a strided view. The array belongs to the source and may be
    overwritten after `step` has returned. The camera's own values are None if the source has none.
    """

    plane: np.ndarray
    mono_s: float
    exposure_us: float | None = None
    gain: float | None = None
    lux: float | None = None
    focus: float | None = None      # the camera's own measure of sharpness; comparable only with itself
    key_mono_s: float | None = None     # of the keyframe that it depends on; None for a picture from before any encoder
    limited: bool = False       # the plane has video's range: 16 black, 235 white
    _base: np.ndarray | None = field(default=None, init=False, repr=False)      # source of smaller pictures

    @property
    def shape(self) -> tuple[int, int]:
        return self.plane.shape

    @property
    def y(self) -> np.ndarray:
        return self.part()

    def part(self, rows: slice = _ALL, columns: slice = _ALL) -> np.ndarray:
        """Returns a part of it in full range; a view of the plane if that has full range."""
        return self._stretched(self.plane[rows, columns])

    def shrunken(self, size: Size) -> np.ndarray:
        """Returns a copy in full range of `size`, up to 320 pixels a side. Each pixel is the mean of its source
        pixels."""
        if self._base is None:
            self._base = self._stretched(self._halved())
        return cv2.resize(self._base, size, interpolation=cv2.INTER_AREA)

    def _halved(self) -> np.ndarray:
        """Halves a large picture repeatedly: OpenCV halves twice in a sixth of the time of a quartering."""
        plane, (h, w) = self.plane, self.shape
        while w % 2 == h % 2 == 0 and max(w, h) >= 2 * _BASE_PX:
            h, w = h // 2, w // 2
            plane = cv2.resize(plane, (w, h), interpolation=cv2.INTER_AREA)
        return plane

    def _stretched(self, plane: np.ndarray) -> np.ndarray:
        """OpenCV does this in a quarter of np.take's time."""
        return cv2.addWeighted(plane, _STRETCH, plane, 0.0, -BLACK * _STRETCH) if self.limited else plane
