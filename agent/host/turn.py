"""Turns decoded pictures upright if a file says that they lie on their side, as phones' films do.

The encoded pictures stay as they are. Players turn them by the track's matrix, and we do it here, so that thumbnails,
masks, zones and boxes refer to the picture that people see.
"""
import struct

import av
import numpy as np

from agent.core.media.mp4.traks import TURNS

MATRIX = struct.Struct("=9i")       # libav's: as in a track's header, in this machine's byte order


def turn_of(frame: av.VideoFrame) -> int:
    """Returns how far the container says to turn this picture, in degrees clockwise; 0 if it is not a right angle."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) != MATRIX.size:
        return 0
    a, b, _, c, d, *_ = MATRIX.unpack(bytes(matrix))
    return TURNS.get(tuple((each > 0) - (each < 0) for each in (a, b, c, d)), 0)


def turned(frame: av.VideoFrame, turn: int) -> av.VideoFrame:
    """Returns the picture turned by `turn` degrees clockwise: the same frame for 0, else yuv420p."""
    if not turn:
        return frame
    width, height = frame.width & ~1, frame.height & ~1         # 4:2:0 has no odd sizes to turn
    flat = frame if frame.format.name in ("yuv420p", "yuvj420p") else frame.reformat(format="yuv420p")
    upright = av.VideoFrame(*((width, height) if turn == 180 else (height, width)), flat.format.name)
    for number, (target, source) in enumerate(zip(upright.planes, flat.planes, strict=True)):
        share = 2 if number else 1
        pixels = _pixels(source)[:height // share, :width // share]
        view = np.rot90(pixels, -turn // 90)
        _pixels(target)[:view.shape[0], :view.shape[1]] = view
    upright.pts = frame.pts
    if frame.time_base is not None:
        upright.time_base = frame.time_base
    upright.colorspace, upright.color_range = frame.colorspace, frame.color_range
    return upright


def _pixels(plane: av.video.plane.VideoPlane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
