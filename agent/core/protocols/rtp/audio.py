"""Audio over RTP: AAC (RFC 3640, mode AAC-hbr) and G.711 (RFC 3551 §4.5.14), one raw frame in each unit."""
from agent.core.media.audio import aac_shape
from agent.core.protocols.rtp.track import EncodedUnit, Item, RtpTrack

FRAMES_MAX_N = 64           # in one packet
FRAME_SAMPLES_N = 1024      # of most cameras' AAC


class Aac(RtpTrack):
    """AAC in mode AAC-hbr: several frames in a packet, or one frame in several packets."""

    def __init__(self, payload_type: int, clock_rate: int, config: bytes,
                 size_length: int = 13, index_length: int = 3, index_delta_length: int = 3) -> None:
        """`config` and the lengths in bits are those of SDP's fmtp. Raises ValueError for impossible lengths."""
        super().__init__(payload_type, clock_rate)
        if not 0 < size_length <= 16 or not (0 <= index_length <= 16 and 0 <= index_delta_length <= 16):
            raise ValueError(f"AAC with headers of {size_length}, {index_length} and {index_delta_length} bits")
        rate_hz, _, self.samples_n = aac_shape(config) or (clock_rate, 1, FRAME_SAMPLES_N)
        self._frame_ticks = self.samples_n * clock_rate // rate_hz      # RTP counts decoded samples
        self._size_bits, self._first_bits = size_length, size_length + index_length
        self._more_bits = size_length + index_delta_length
        self._parts: list[bytes] = []       # of a frame in several packets
        self._left_b = 0                    # its missing bytes
        self._whose = 0                     # its timestamp

    def _payload(self, payload: bytes, stamp: int, marker: bool, whole: bool, out: list[Item]) -> None:
        if self._left_b and stamp != self._whose:       # a part of it was lost
            self._left_b = 0
            self.dropped_n += 1
        sizes, at = self._sizes(payload)
        room_b = len(payload) - at
        if len(sizes) == 1 and sizes[0] > room_b > 0:
            self._continue(payload[at:], sizes[0], stamp, out)
        elif not sizes or sum(sizes) > room_b:
            self.junk_n += bool(payload)
        else:
            for number, size in enumerate(sizes):
                self._hand_out(payload[at:at + size], stamp + number * self._frame_ticks & 0xFFFFFFFF, out)
                at += size

    def _sizes(self, payload: bytes) -> tuple[list[int], int]:
        headers_bits = int.from_bytes(payload[:2], "big")
        at = 2 + (headers_bits + 7) // 8
        count, odd = divmod(headers_bits - self._first_bits, self._more_bits)
        if at > len(payload) or not 0 <= count < FRAMES_MAX_N or odd:
            return [], at
        headers = int.from_bytes(payload[2:at], "big") >> -headers_bits % 8
        mask = (1 << self._size_bits) - 1
        ends = range(headers_bits - self._first_bits, -1, -self._more_bits)      # of each header, in bits from the last
        shift = self._first_bits - self._size_bits, self._more_bits - self._size_bits
        return [headers >> end + shift[number > 0] & mask for number, end in enumerate(ends)], at

    def _continue(self, data: bytes, size: int, stamp: int, out: list[Item]) -> None:
        """Adds a part of a large frame. Each packet has the size of the whole frame."""
        if not self._left_b:
            self._parts, self._left_b, self._whose = [], size, stamp
        self._parts.append(data)
        self._left_b = max(0, self._left_b - len(data))
        if not self._left_b:
            self._hand_out(b"".join(self._parts)[:size], stamp, out)
            self._parts = []

    def _hand_out(self, data: bytes, stamp: int, out: list[Item]) -> None:
        time_us = self._time_us(stamp)
        out.append(EncodedUnit(self.channel, data, time_us, time_us, True))


class G711(RtpTrack):
    """PCMA or PCMU: a packet is a frame of 8-bit samples. SDP says which law."""

    def __init__(self, payload_type: int, clock_rate: int = 8000) -> None:
        super().__init__(payload_type, clock_rate)

    def _payload(self, payload: bytes, stamp: int, marker: bool, whole: bool, out: list[Item]) -> None:
        if payload:
            time_us = self._time_us(stamp)
            out.append(EncodedUnit(self.channel, payload, time_us, time_us, True))
