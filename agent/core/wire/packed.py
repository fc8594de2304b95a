"""A health report in two thirds of its bytes: zlib (RFC 1950), for a ward that has said that it takes this. Pure."""
import zlib

ZLIB = "zlib"                           # in `takes` of the ward's state, and in `caps` of a birth
CONTENT_TYPE = "application/zlib"       # RFC 6713
FIRST = b"\x78"                         # of such a stream; no JSON begins with it


class NotPacked(Exception):
    """It begins like a packed payload, and is none, or a larger one than may be."""


def pack(payload: bytes) -> bytes:
    """In fewer bytes."""
    return zlib.compress(payload)


def unpack(payload: bytes, most_b: int) -> bytes:
    """A payload as it was, packed or not; at most `most_b` bytes, however it was packed. Raises NotPacked."""
    if not payload.startswith(FIRST):
        return payload
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(payload, most_b)
    except zlib.error:
        raise NotPacked from None
    if not stream.eof or stream.unused_data:
        raise NotPacked
    return plain
