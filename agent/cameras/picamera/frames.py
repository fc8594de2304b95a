"""Sees each frame before the encoder: paints masks, and makes the small picture if motion detection wants one.

Separate from the session, because this runs for each frame on libcamera's thread.
"""
from collections.abc import Sequence
from typing import Any

from picamera2 import MappedArray

from agent.cameras.frame_queue import FrameQueue
from agent.cameras.masks import Masks
from agent.cameras.picamera.sensor import planes
from agent.core.vision.luma import Luma
from agent.host.clock import Clock


class Frames:
    """picamera2's pre_callback: runs in its event loop, with its lock held."""

    def __init__(self, main: tuple[int, int], lores: tuple[int, int], queue: FrameQueue, clock: Clock) -> None:
        self._main, self._lores, self._queue, self._clock = main, lores, queue, clock
        self.hide(())

    def hide(self, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """Uses these masks from the next frame on, in both pictures at once. For any thread."""
        self._masks = Masks(polygons, *self._main), Masks(polygons, *self._lores)

    def prepare(self, request: Any) -> None:
        """Paints one frame, and makes the small picture of it if motion detection wants one."""
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
        mono_s, found = self._clock.mono_s(), request.get_metadata()
        gain = found["AnalogueGain"] * found.get("DigitalGain", 1.0) if "AnalogueGain" in found else None
        self._queue.put_luma(Luma(y, mono_s, found.get("ExposureTime"), gain, found.get("Lux"), found.get("FocusFoM"),
                                  limited=True))
