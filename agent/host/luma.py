"""Pictures decoded to be looked at and not shown, and the brightness out of them."""
import av
import numpy as np

# Of libav, for such a decoder. Without any loop filter the blocks of a beam of light look like edges
# (docs/design/motion.md); with that of keyframes alone they don't, at the price of none.
LOOKING = {"skip_loop_filter": "nokey"}


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """The brightness plane of a decoded picture, a view (height, width) of its own memory where the format has one."""
    if not frame.format.name.startswith(("yuv", "nv", "gray")) or frame.format.components[0].bits != 8:
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
