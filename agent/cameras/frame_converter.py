"""Converts a webcam's raw or JPEG pictures into masked 4:2:0 frames."""
from collections.abc import Sequence

import av
import numpy as np
from av.video.reformatter import ColorRange

from agent.cameras.masks import Masks
from agent.host.decoder import jpeg_decoder

JPEG = ("MJPG", "JPEG")
# libav's name, bytes per pixel in a row, rows per line of the picture
RAW = {"YUYV": ("yuyv422", 2, 1), "UYVY": ("uyvy422", 2, 1), "NV12": ("nv12", 1, 1.5)}


class FrameConverter:
    def __init__(self, fourcc: str, width: int, height: int, row_b: int) -> None:
        """`row_b` is the distance between rows in raw pictures, in bytes."""
        self._fourcc, self._width, self._height, self._row_b = fourcc, width, height, row_b
        self._masks: tuple[object, tuple[int, int], Masks] | None = None
        self._range = ColorRange.JPEG if fourcc in JPEG else ColorRange.MPEG        # 0..255, or 16..235 as in video
        self._jpeg = jpeg_decoder(width, height) if fourcc in JPEG else None

    def frame(self, data: bytes, polygons: Sequence[Sequence[tuple[float, float]]]) -> av.VideoFrame | None:
        """Returns the picture as yuv420p with these masks painted; None if it is damaged, as some are over USB."""
        frame = self._read(data)
        if frame is None:
            return None
        frame = frame.reformat(format="yuv420p", src_color_range=self._range, dst_color_range=ColorRange.MPEG)
        size = frame.width, frame.height
        if self._masks is None or self._masks[0] is not polygons or self._masks[1] != size:
            self._masks = polygons, size, Masks(polygons, *size)
        self._masks[2].paint(*planes(frame))
        return frame

    def _read(self, data: bytes) -> av.VideoFrame | None:
        if self._jpeg is not None:
            try:
                frames = self._jpeg.decode(av.Packet(data))
            except av.error.FFmpegError:
                return None
            return frames[0] if frames else None
        name, pixel_b, tall = RAW[self._fourcc]
        rows, row_b = int(self._height * tall), self._width * pixel_b
        if len(data) < rows * self._row_b:
            return None
        pixels = np.frombuffer(data, np.uint8, rows * self._row_b).reshape(rows, self._row_b)[:, :row_b]
        if name != "nv12":
            pixels = pixels.reshape(rows, self._width, pixel_b)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=name)


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Returns Y, U and V of a yuv420p frame as writable views (height, width) of its own memory."""
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        views.append(rows[:plane.height, :plane.width])
    return views
