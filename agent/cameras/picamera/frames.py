"""Sees each frame before the encoder: hides what is masked, and makes the small picture if motion wants one."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from picamera2 import MappedArray

from agent.cameras.frame_queue import FrameQueue
from agent.cameras.masks import Masks
from agent.core.media.model import Luma
from agent.host.clock import Clock

LORES_WIDTH_PX = 320                    # a multiple of 64, as the camera's memory wants it
SMALL_RAM_B = 600 << 20                 # a 512 MB board: four buffers leave its camera memory room for the encoder


def lores_size(main: tuple[int, int]) -> tuple[int, int]:
    """Size of the small stream for a main stream of (width, height): the same shape, even, never larger."""
    width, height = main
    if width <= LORES_WIDTH_PX:
        return main
    return LORES_WIDTH_PX, max(2, round(LORES_WIDTH_PX * height / width / 2) * 2)


def buffers_n(ram_b: int | None) -> int:
    """How many frames the camera may have in the works. Not knowing counts as a small board: four do on any."""
    return 4 if (ram_b or 0) <= SMALL_RAM_B else 6


def planes(array: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, U and V as views into picamera2's YUV420 array (height * 3 / 2, stride), for a picture of (width, height)."""
    width, height = size
    u, v = array[height:].reshape(2, height // 2, array.shape[1] // 2)[:, :, :width // 2]
    return array[:height, :width], u, v


class Frames:
    """picamera2's pre_callback: called in its event loop, with its lock held."""

    def __init__(self, main: tuple[int, int], lores: tuple[int, int], queue: FrameQueue, clock: Clock) -> None:
        self._main, self._lores, self._queue, self._clock = main, lores, queue, clock
        self.hide(())

    def hide(self, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """These masks from the next frame on, in both pictures at once. Any thread may call it."""
        self._masks = Masks(polygons, *self._main), Masks(polygons, *self._lores)

    def prepare(self, request: Any) -> None:
        """One frame."""
        main_masks, lores_masks = self._masks
        self._queue.frames_n += 1
        if main_masks:
            with MappedArray(request, "main", write=True) as mapped:
                main_masks.paint(*planes(mapped.array, self._main))
        if not self._queue.wants_luma:
            return
        self._queue.wants_luma = False
        width, height = self._lores
        with MappedArray(request, "lores", write=False) as mapped:
            y = mapped.array[:height, :width].copy()        # the buffer goes back to the camera at once
        lores_masks.paint_luma(y)
        self._queue.put_luma(_with_metadata(y, self._clock.mono_s(), request.get_metadata()))


def _with_metadata(y: np.ndarray, mono_s: float, told: dict[str, Any]) -> Luma:
    analogue = told.get("AnalogueGain")
    gain = None if analogue is None else analogue * told.get("DigitalGain", 1.0)
    return Luma(y, mono_s, told.get("ExposureTime"), gain, told.get("Lux"), told.get("FocusFoM"))
