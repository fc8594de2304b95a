"""Pictures decoded to be looked at and not shown, and the brightness out of them."""
import functools

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

# Of libav, for such a decoder. Without any loop filter the blocks of a beam of light look like edges
# (docs/design/motion.md); with that of keyframes alone they don't, at the price of none.
LOOKING = {"skip_loop_filter": "nokey"}
BLACK, WHITE = 16, 235          # of video's limited range, which streams have unless they say otherwise
_STRETCH = 255 / (WHITE - BLACK)


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """The brightness of a decoded picture, uint8 (height, width), full range: what `Luma` holds.

    Where the stream itself has full range it is a view of the frame's own memory.
    """
    if not _begins_with_luma(frame.format.name):
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    y = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
    return y if has_full_range(frame) else full_range(y)


@functools.cache
def _begins_with_luma(pixels: str) -> bool:
    """Whether the first plane of this format is brightness, 8 bits a pixel; PyAV takes its time to tell."""
    return pixels.startswith(("yuv", "nv", "gray")) and av.VideoFormat(pixels).components[0].bits == 8


def full_range(y: np.ndarray) -> np.ndarray:
    """A copy of a plane (uint8) of limited range, stretched: black is 0, white 255. OpenCV is four times np.take."""
    return cv2.addWeighted(y, _STRETCH, y, 0.0, -BLACK * _STRETCH)


def has_full_range(frame: av.VideoFrame) -> bool:
    """Whether its brightness goes from 0 to 255; what does not say so has video's limited range."""
    told = frame.color_range                # by version PyAV gives the range, or its number
    if told == ColorRange.UNSPECIFIED:
        return frame.format.name.startswith(("yuvj", "gray"))
    return told == ColorRange.JPEG
