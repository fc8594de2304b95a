"""Bytes between a capture process and those who look at its live picture (a Unix stream socket, `live-<camera>.sock`).

First a stream message, then the newest GOP from its keyframe on, then packets as they come; a new stream message whenever
the picture's format changes. Capture never waits for a viewer: one that is too slow loses whole GOPs, and after each gap the
next packet is a keyframe.
"""
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

HEAD = struct.Struct(">cBqqI")      # kind, key flag, pts_us, dts_us, length of what follows
LARGEST_B = 16 * 1024 * 1024


class LiveStream(msgspec.Struct, kw_only=True):
    """What a decoder must know; `config` is the body of the avcC or hvcC box."""

    codec: str
    width: int
    height: int
    config: bytes


@dataclass(frozen=True, slots=True)
class LivePacket:
    """One packet as capture has it: NAL units with 4-byte lengths, times in boot-time microseconds."""

    data: bytes
    pts_us: int
    dts_us: int
    key: bool


class LiveError(Exception):
    """The bytes are no live stream of ours."""


def stream_bytes(codec: str, width: int, height: int, config: bytes) -> bytes:
    """The message that opens a stream or changes its format."""
    body = msgspec.json.encode(LiveStream(codec=codec, width=width, height=height, config=config))
    return HEAD.pack(b"S", 0, 0, 0, len(body)) + body


def packet_head(pts_us: int, dts_us: int, key: bool, length: int) -> bytes:
    """What goes before a packet's data; apart from it, so that the data need not be copied."""
    return HEAD.pack(b"P", key, pts_us, dts_us, length)


class Parser:
    """Turns received bytes into messages, whatever pieces they come in; holds at most one message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[LiveStream | LivePacket]:
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
                yield LivePacket(body, pts_us, dts_us, bool(key))
            else:
                try:
                    yield msgspec.json.decode(body, type=LiveStream)
                except msgspec.DecodeError as error:
                    raise LiveError(str(error)) from error
