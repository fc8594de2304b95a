"""What an RTSP connection yields while it plays, and the part of RTP that all media share.

That is the header of a packet, its sequence number, and the clock (RFC 3550 §5.1 and A.1).
"""
import struct
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


DOLLAR = 0x24               # begins a frame, followed by the channel and the packet's length (RFC 2326 §10.12)
FRAME_B = 4
HEADER = struct.Struct(">II").unpack_from       # version to sequence number; timestamp
HEADER_B = 12
MISORDER_MAX_N = 100        # RFC 3550 A.1: a packet this far behind is old,
DROPOUT_MAX_N = 3000        # one this far ahead follows a gap; between them the sender has restarted


class RtpTrack:
    """One medium of a camera. `receive` takes its RTP packets; a subclass makes units from their payloads."""

    def __init__(self, payload_type: int, clock_rate: int) -> None:
        """Both values are from SDP. Other types of packets are ignored; `clock_rate` is in ticks a second."""
        self.channel = 0        # the units' name for the track; the receiver sets it
        self.lost_n = 0         # missing packets, by their numbers
        self.junk_n = 0         # packets that are malformed, old or of another type
        self.dropped_n = 0      # units without some parts, or without parameter sets
        self._plain = 2 << 30 | payload_type << 16      # version 2, no padding, extension, sources or marker
        self._head = -1         # the next packet's first 32 bits if it is plain; the low 16 are always its number
        self._rate = clock_rate
        self._clock: int | None = None      # the last unit's timestamp; `_ticks` is the same without wrapping
        self._ticks = 0

    def receive(self, data: bytearray, begin: int, end: int, out: list[Item]) -> None:
        """Handles the RTP packet data[begin:end], and appends the units that it completes to `out`. Never raises."""
        if end - begin < HEADER_B:
            self.junk_n += 1
            return
        head, stamp = HEADER(data, begin)
        at = begin + HEADER_B + 4 * (head >> 24 & 15)                       # contributing sources
        if head >> 28 & 1:
            at += 4 + 4 * int.from_bytes(data[at + 2:at + 4], "big")        # header extension
        if head >> 29 & 1:
            end -= data[end - 1]                                            # padding
        if at > end or (head ^ self._plain) & 0xC07F0000:                   # version and payload type
            self.junk_n += 1
            return
        ahead_n = head - self._head & 0xFFFF
        if self._head >= 0 and ahead_n > 0xFFFF - MISORDER_MAX_N:
            self.junk_n += 1        # repeated or late: over TCP the sender's fault, and its gap is already counted
            return
        whole = self._head >= 0 and not ahead_n
        if 0 < ahead_n < DROPOUT_MAX_N and self._head >= 0:
            self.lost_n += ahead_n
        self._head = self._plain | head + 1 & 0xFFFF
        self._payload(bytes(data[at:end]), stamp, bool(head >> 23 & 1), whole, out)

    def follow(self, data: bytearray, at: int, end: int) -> int:
        """Handles packets from `at` on that need no inspection, each with its "$", channel and length. Returns the
        start of the first other one."""
        return at

    def _payload(self, payload: bytes, stamp: int, marker: bool, whole: bool, out: list[Item]) -> None:
        raise NotImplementedError

    def _time_us(self, stamp: int) -> int:
        """A timestamp as microseconds since the first one. Each is taken as the nearest to the one before. 32 bits
        wrap every 13 hours at 90 kHz. If the camera resets its clock, the result jumps, too."""
        if self._clock is None:
            self._clock = stamp
        self._ticks += (stamp - self._clock + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        self._clock = stamp
        return self._ticks * 1_000_000 // self._rate
