"""Sees each frame before the encoder: hides what is masked, and makes the small picture if motion wants one.

Apart from the session, which starts and stops the camera: this runs once a frame on libcamera's thread.
"""
from collections.abc import Sequence
from typing import Any

import numpy as np
from picamera2 import MappedArray

from agent.cameras.frame_queue import FrameQueue
from agent.cameras.masks import Masks
from agent.cameras.picamera.layout import planes
from agent.core.vision.luma import Luma
from agent.host.clock import Clock


class Frames:
    """picamera2's pre_callback: called in its event loop, with its lock held."""

    def __init__(self, main: tuple[int, int], lores: tuple[int, int], queue: FrameQueue, clock: Clock) -> None:
        self._main, self._lores, self._queue, self._clock = main, lores, queue, clock
        self.hide(())

    def hide(self, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """These masks from the next frame on, in both pictures at once. Any thread may call it."""
        self._masks = Masks(polygons, *self._main), Masks(polygons, *self._lores)

    def prepare(self, request: Any) -> None:
        """Paint one frame, and make the small picture of it if motion wants one."""
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
    return Luma(y, mono_s, told.get("ExposureTime"), gain, told.get("Lux"), told.get("FocusFoM"),
                limited=True)
