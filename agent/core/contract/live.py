"""Bytes between a capture process and the viewers of its live picture (a Unix stream socket, `live-<camera>.sock`).

First comes a stream message, then the newest GOP from its keyframe on, then each new packet. If the picture's format
changes, a new stream message comes. Capture never waits for a viewer: a slow viewer loses whole GOPs, and after each
gap the next packet is a keyframe.
"""
import struct
from collections.abc import Iterator

import msgspec

from agent.core import json_door
from agent.core.media.model import Packet, StreamInfo

HEAD = struct.Struct(">cBqqI")      # kind, key flag, pts_us, dts_us, length of the body
LARGEST_B = 16 * 1024 * 1024


class LiveError(Exception):
    """The bytes are not a valid live stream."""


def stream_bytes(info: StreamInfo) -> bytes:
    """Encodes the message that opens a stream or changes its format."""
    body = msgspec.json.encode(info)
    return HEAD.pack(b"S", 0, 0, 0, len(body)) + body


def packet_head(packet: Packet) -> bytes:
    """Encodes the head of a packet. It is separate so that the data need not be copied."""
    return HEAD.pack(b"P", packet.key, packet.pts_us, packet.dts_us, len(packet.data))


def is_packet(message: bytes) -> bool:
    """Whether a whole message is a packet."""
    return message.startswith(b"P")


class Parser:
    """Turns received bytes into messages, however they are cut. Holds at most one message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[StreamInfo | Packet]:
        """Adds bytes and yields each complete message. Raises LiveError."""
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            kind, key, pts_us, dts_us, length = HEAD.unpack_from(self._buffer)
            if kind not in (b"S", b"P") or length > LARGEST_B:
                raise LiveError(f"message {kind!r} of {length} bytes")
            end = HEAD.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEAD.size:end])
            del self._buffer[:end]
            if kind == b"P":
                yield Packet(body, pts_us, dts_us, bool(key))
            else:
                try:
                    yield json_door.read(body, StreamInfo)
                except msgspec.DecodeError as error:
                    raise LiveError(str(error)) from error
