"""What the writer and the reader of our fragmented MP4 share: boxes, a fragment's exact layout, the error.

Formats: ISO/IEC 14496-12 (boxes), §8.8 (fragments). We read only what we write, so a fragment is one fixed struct, and
a lie in any size or type shows at once.
"""
import struct

TRACK = 1
SECONDS_1904_TO_1970 = 2_082_844_800


class Mp4Error(Exception):
    """The bytes are no recording of ours, or too little of one; the text says where it ends."""


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of that type around `parts`."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that tells a version and 24 bits of flags first."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


BOX = struct.Struct(">I4s")                 # size with these 8 bytes, type

# moof > mfhd (sequence), traf > tfhd (track; offsets count from moof), tfdt (64-bit base time), trun (signed offsets)
MOOF = struct.Struct(">I4s" "I4sII" "I4s" "I4sII" "I4sIQ" "I4sIII")
ROW = struct.Struct(">IIIi")                # a sample: duration, size, flags, composition offset
TRUN_FIELDS = 0x01_000F01                   # version 1; data offset; duration, size, flags and offset of each sample
SYNC, NO_SYNC = 0x0200_0000, 0x0101_0000    # sample flags: leans on no other sample / leans on others
FIRST_MOOF = struct.pack(">4sI4sII", b"moof", 16, b"mfhd", 0, 1)    # how the first fragment begins, behind its size


def moof(samples_n: int, sequence: int, base: int) -> bytes:
    """The head of a fragment up to its sample rows; `base` is the decode time of its first sample."""
    rows_b = ROW.size * samples_n
    return MOOF.pack(MOOF.size + rows_b, b"moof", 16, b"mfhd", 0, sequence, MOOF.size - 24 + rows_b, b"traf",
                     16, b"tfhd", 0x020000, TRACK, 20, b"tfdt", 0x0100_0000, base,
                     20 + rows_b, b"trun", TRUN_FIELDS, samples_n, MOOF.size + rows_b + BOX.size)
