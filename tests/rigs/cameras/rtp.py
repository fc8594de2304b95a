"""A camera's sending side for tests: access units become RTP packets within RTSP's framing, as the RFCs have it.

RFC 3550 (header), 6184 and 7798 (H.264, H.265), 3640 (AAC), 2326 §10.12 (framing). Every choice that a sender is free
to make is made by the `random` that it is given: fragment sizes, aggregation, header extensions, padding.
"""
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple


class Sent(NamedTuple):
    """One packet in its frame, and which of its access unit's NAL units it carries, wholly or in part."""

    wire: bytes
    units: range


def rtp(payload: bytes, sequence: int, timestamp: int, marker: bool = False, payload_type: int = 96,
        sources_n: int = 0, extension: bytes | None = None, padding_b: int = 0) -> bytes:
    """A packet; `extension` is a whole number of words."""
    flags = 2 << 6 | (padding_b > 0) << 5 | (extension is not None) << 4 | sources_n
    head = struct.pack(">BBHII", flags, marker << 7 | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 0xBEEF)
    head += bytes(4 * sources_n)
    if extension is not None:
        head += struct.pack(">HH", 0xBEDE, len(extension) // 4) + extension
    return head + payload + (bytes(padding_b - 1) + bytes((padding_b,)) if padding_b else b"")


def framed(channel: int, packet: bytes) -> bytes:
    """A packet between RTSP messages."""
    return b"$" + struct.pack(">BH", channel, len(packet)) + packet


@dataclass
class VideoSender:
    """One video track. `marker`: set on the "last" packet of a frame, as it should be, "never", or on every "slice"."""

    codec: str = "h264"
    random: Random | None = None        # None: nothing fancy
    marker: str = "last"
    mtu_b: int = 1400
    channel: int = 0
    sequence: int = 0

    def send(self, units: Sequence[bytes], timestamp: int) -> list[Sent]:
        """The packets of one access unit."""
        payloads = list(self._payloads(units))
        sent = []
        for number, (payload, carried, ends) in enumerate(payloads):
            marker = {"last": number == len(payloads) - 1, "never": False, "slice": ends}[self.marker]
            sent.append(Sent(framed(self.channel, rtp(payload, self.sequence, timestamp, marker, **self._extras())),
                             carried))
            self.sequence += 1
        return sent

    def _extras(self) -> dict:
        if self.random is None or self.random.random() < 0.7:
            return {}
        return {"sources_n": self.random.choice((0, 0, 1, 15)), "padding_b": self.random.choice((0, 1, 4, 255)),
                "extension": self.random.choice((None, b"", bytes(4), b"\xff" * 40))}

    def _payloads(self, units: Sequence[bytes]) -> Iterable[tuple[bytes, range, bool]]:
        """Payload, NAL units in it, and whether a NAL unit ends with it. Who marks every slice does not aggregate."""
        at = 0
        while at < len(units):
            count = 1
            if self.random and self.marker != "slice" and self.random.random() < 0.5:
                count = self.random.randint(1, 4)
            together = units[at:at + count]
            if len(together) > 1 and sum(map(len, together)) <= self.mtu_b:
                yield self._aggregate(together), range(at, at + len(together)), True
                at += len(together)
                continue
            if len(units[at]) <= self.mtu_b and not (self.random and self.random.random() < 0.2 and len(units[at]) > 3):
                yield units[at], range(at, at + 1), True
            else:
                pieces = list(self._fragments(units[at]))
                yield from ((piece, range(at, at + 1), piece is pieces[-1]) for piece in pieces)
            at += 1

    def _aggregate(self, units: Sequence[bytes]) -> bytes:
        body = b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
        if self.codec == "h264":
            return bytes((max(unit[0] & 0x60 for unit in units) | 24,)) + body
        return struct.pack(">H", 48 << 9 | 1) + body

    def _fragments(self, unit: bytes) -> Iterable[bytes]:
        header_b = 1 if self.codec == "h264" else 2
        cuts = [header_b]
        while cuts[-1] < len(unit):
            step = self.random.randint(1, self.mtu_b) if self.random else self.mtu_b
            # A unit that isn't fragmented at all must not be sent as a fragment (RFC 6184 §5.8).
            cuts.append(min(len(unit) - (len(cuts) == 1), cuts[-1] + step))
        for begin, end in zip(cuts, cuts[1:], strict=False):
            flags = (begin == header_b) << 7 | (end == len(unit)) << 6
            if self.codec == "h264":
                head = bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 31))
            else:
                head = bytes((unit[0] & 0x81 | 49 << 1, unit[1], flags | unit[0] >> 1 & 63))
            yield head + unit[begin:end]


@dataclass
class AacSender:
    """One AAC track in mode AAC-hbr, headers of 13 and 3 bits."""

    channel: int = 2
    mtu_b: int = 1400
    sequence: int = 0
    payload_type: int = 97

    def send(self, frames: Sequence[bytes], timestamp: int) -> list[bytes]:
        """The packets of these frames: one for all of them, or as many as one large frame takes."""
        if len(frames) > 1 or len(frames[0]) <= self.mtu_b:
            headers = b"".join(struct.pack(">H", len(frame) << 3) for frame in frames)
            bodies = [struct.pack(">H", 16 * len(frames)) + headers + b"".join(frames)]
        else:
            head = struct.pack(">HH", 16, len(frames[0]) << 3)
            bodies = [head + frames[0][at:at + self.mtu_b] for at in range(0, len(frames[0]), self.mtu_b)]
        packets = []
        for number, body in enumerate(bodies):
            packets.append(framed(self.channel, rtp(body, self.sequence, timestamp, number == len(bodies) - 1,
                                                    self.payload_type)))
            self.sequence += 1
        return packets


def cut(wire: bytes, random: Random, most_b: int) -> Iterable[bytes]:
    """The same bytes as a network may deliver them."""
    at = 0
    while at < len(wire):
        step = random.randint(1, most_b)
        yield wire[at:at + step]
        at += step
