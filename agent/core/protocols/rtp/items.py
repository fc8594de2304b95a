"""The items that an RTSP connection yields while it plays: encoded frames, their format, and messages in between."""
from typing import NamedTuple

from agent.core.media.model import StreamInfo


class EncodedUnit(NamedTuple):
    """One encoded frame, in decode order. Times begin at 0 with the track's first frame, on the camera's own clock."""

    track: int      # its interleaved channel
    data: bytes     # video: NAL units after their lengths in 4 bytes, as in Packet.data; audio: one raw frame
    pts_us: int     # time of display
    dts_us: int     # time of decoding: never after pts_us, and later than the unit before
    key: bool       # decoding can start here


class TrackFormat(NamedTuple):
    """The format of the next units of a track. Comes before the first of them, and at every change."""

    track: int
    info: StreamInfo


class RtspText(NamedTuple):
    """A whole RTSP message of the camera, with its body: a response, or the camera's own request."""

    data: bytes


Item = EncodedUnit | TrackFormat | RtspText
