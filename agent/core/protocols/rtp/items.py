"""The items that an RTSP connection gives while it plays: encoded frames, their format, and messages in between."""
from typing import NamedTuple

from agent.core.media.model import StreamInfo


class EncodedUnit(NamedTuple):
    """One encoded frame, in decode order. Times begin at 0 with the track's first frame, on the camera's own clock."""

    track: int      # the interleaved channel it came on
    data: bytes     # video: NAL units behind their lengths in 4 bytes, as in Packet.data; audio: one raw frame
    pts_us: int     # when it is shown
    dts_us: int     # when it is decoded: never after pts_us, later than the unit before
    key: bool       # decoding can start here


class TrackFormat(NamedTuple):
    """The format of the units that follow on a track; comes before the first of them, and at every change."""

    track: int
    info: StreamInfo


class RtspText(NamedTuple):
    """A whole RTSP message of the camera, with its body: a response, or a request of its own."""

    data: bytes


Item = EncodedUnit | TrackFormat | RtspText
