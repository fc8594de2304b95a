"""The values every room speaks of: packets, pictures, boxes. Pure data, no behaviour beyond their own arithmetic."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:       # most roles never see a picture, and numpy is 17 MB
    import numpy as np


class Point(NamedTuple):
    """A place in the picture, as fractions of its width and height (0..1)."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle in the picture, as fractions of its width and height (0..1); x, y is the top left corner."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a decoder must know before the first packet.

    `config` is the body of the `avcC` (H.264) or `hvcC` (H.265) box, ISO/IEC 14496-15.
    """

    codec: str      # "h264" or "h265"
    width: int
    height: int
    config: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded frame in decode order, its NAL units length-prefixed (4 bytes) as MP4 stores them.

    Times are on the monotonic clock that the whole device shares (boot time, microseconds), already mapped from the
    source's own clock, so that media time is wall time.
    """

    data: bytes
    pts_us: int     # when it is shown
    dts_us: int     # when it is decoded; equal to pts_us without B-frames
    key: bool       # an IDR: decoding can start here


@dataclass(frozen=True, slots=True)
class Luma:
    """A small picture for motion: the brightness plane, uint8, shape (height, width), C order or a strided view.

    The array belongs to the source and may be overwritten once `step` has returned. The camera's own numbers are None
    where the source does not tell.
    """

    y: "np.ndarray"
    mono_s: float
    exposure_us: float | None = None
    gain: float | None = None
    lux: float | None = None
