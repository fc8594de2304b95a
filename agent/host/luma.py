"""Pictures decoded to be looked at and not shown, and the brightness out of them."""
import functools

import av
import numpy as np
from av.video.reformatter import ColorRange

from agent.core.vision.luma import Luma

# Of libav, for such a decoder. Without any loop filter the blocks of a beam of light look like edges
# (docs/design/motion.md); with that of keyframes alone they don't, at the price of none.
LOOKING = {"skip_loop_filter": "nokey"}


def luma_of(frame: av.VideoFrame, mono_s: float, key_mono_s: float | None = None) -> Luma:
    """The brightness of a decoded picture: mostly a view of the frame's own memory."""
    if not _begins_with_luma(frame.format.name):
        return Luma(frame.to_ndarray(format="gray"), mono_s, key_mono_s=key_mono_s)
    plane = frame.planes[0]
    y = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
    return Luma(y, mono_s, key_mono_s=key_mono_s, limited=not has_full_range(frame))


@functools.cache
def _begins_with_luma(pixels: str) -> bool:
    """Whether the first plane of this format is brightness, 8 bits a pixel; PyAV takes its time to tell."""
    return pixels.startswith(("yuv", "nv", "gray")) and av.VideoFormat(pixels).components[0].bits == 8


def has_full_range(frame: av.VideoFrame) -> bool:
    """Whether its brightness goes from 0 to 255; what does not say so has video's limited range."""
    told = frame.color_range                # by version PyAV gives the range, or its number
    if told == ColorRange.UNSPECIFIED:
        return frame.format.name.startswith(("yuvj", "gray"))
    return told == ColorRange.JPEG
