"""Bytes between a capture process and the viewers of its live picture (a Unix stream socket, `live-<camera>.sock`).

First a stream message, then the newest GOP from its keyframe on, then packets as they come; a new stream message
whenever the picture's format changes. Capture never waits for a viewer: one that is too slow loses whole GOPs, and
after each gap the next packet is a keyframe.
"""
import struct
from collections.abc import Iterator

import msgspec

from agent.core.media.model import Packet, StreamInfo

HEAD = struct.Struct(">cBqqI")      # kind, key flag, pts_us, dts_us, length of what follows
LARGEST_B = 16 * 1024 * 1024


class LiveError(Exception):
    """The bytes are no live stream of ours."""


def stream_bytes(info: StreamInfo) -> bytes:
    """The message that opens a stream or changes its format."""
    body = msgspec.json.encode(info)
    return HEAD.pack(b"S", 0, 0, 0, len(body)) + body


def packet_head(packet: Packet) -> bytes:
    """What goes before a packet's data; apart from it, so that the data need not be copied."""
    return HEAD.pack(b"P", packet.key, packet.pts_us, packet.dts_us, len(packet.data))


def is_packet(message: bytes) -> bool:
    """Whether a whole message is a packet's."""
    return message.startswith(b"P")


class Parser:
    """Turns received bytes into messages, whatever pieces they come in; holds at most one message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[StreamInfo | Packet]:
        """Take more bytes; yields each message that is whole. Raises LiveError."""
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
                    yield msgspec.json.decode(body, type=StreamInfo)
                except msgspec.DecodeError as error:
                    raise LiveError(str(error)) from error
