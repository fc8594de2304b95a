"""H.265 over RTP (RFC 7798, without decoding order numbers): single NAL units, aggregation packets and fragments."""
import struct

from agent.core import nal
from agent.core.rtp.video import Video


class H265(Video):
    """An H.265 track. Types after ITU-T H.265 table 7-1 and RFC 7798 §4.4."""

    CODEC = "h265"
    NAL_HEADER_B, SHIFT, MASK = 2, 1, 63
    SLICES = range(32)
    KEYS = nal.IRAP
    LEADING = frozenset((32, 33, 34, 35, 39))       # VPS, SPS, PPS, delimiter, prefix SEI
    AGGREGATE, FRAGMENT = 48, 49
    PREFIX = struct.Struct(">HHII4x3s").unpack_from
