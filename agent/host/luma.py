"""Extracts brightness from decoded pictures, for analysis only."""
import functools

import av
import numpy as np
from av.video.reformatter import ColorRange

from agent.core.vision.luma import Luma

# Options of such decoders. Without any loop filter, the blocks of a light beam look like edges (docs/design/motion.md).
# The loop filter of keyframes avoids that and costs almost nothing.
LOOKING = {"skip_loop_filter": "nokey"}


def luma_of(frame: av.VideoFrame, mono_s: float, key_mono_s: float | None = None) -> Luma:
    """Returns the brightness of a decoded picture, mostly as a view of the frame's memory."""
    if not _begins_with_luma(frame.format.name):
        return Luma(frame.to_ndarray(format="gray"), mono_s, key_mono_s=key_mono_s)
    plane = frame.planes[0]
    y = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
    return Luma(y, mono_s, key_mono_s=key_mono_s, limited=not has_full_range(frame))


@functools.cache
def _begins_with_luma(pixels: str) -> bool:
    """Whether the first plane of this format is brightness with 8 bits a pixel; PyAV is slow to answer."""
    return pixels.startswith(("yuv", "nv", "gray")) and av.VideoFormat(pixels).components[0].bits == 8


def has_full_range(frame: av.VideoFrame) -> bool:
    """Whether brightness goes from 0 to 255. An unspecified range is video's limited one."""
    declared = frame.color_range                # depending on its version, PyAV gives the range or its number
    if declared == ColorRange.UNSPECIFIED:
        return frame.format.name.startswith(("yuvj", "gray"))
    return declared == ColorRange.JPEG
