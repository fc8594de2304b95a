"""H.264 over RTP (RFC 6184, non-interleaved mode): single NAL units, STAP-A and FU-A."""
import struct

from agent.core import nal
from agent.core.rtp.video import Video


class H264(Video):
    """An H.264 track. Types after ITU-T H.264 table 7-1 and RFC 6184 table 1."""

    CODEC = "h264"
    NAL_HEADER_B, SHIFT, MASK = 1, 0, 31
    SLICES = range(1, 6)
    KEYS = range(nal.IDR, nal.IDR + 1)
    LEADING = frozenset(range(6, 10))       # SEI, SPS, PPS, delimiter: they come before a picture's first slice
    AGGREGATE, FRAGMENT = 24, 28            # STAP-A, FU-A
    PREFIX = struct.Struct(">HHII4x2s").unpack_from
