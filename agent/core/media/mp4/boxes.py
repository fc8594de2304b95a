"""Shared by the writer and the reader of our fragmented MP4: boxes, a fragment's exact layout, the error.

Formats: ISO/IEC 14496-12 (boxes), §8.8 (fragments). We read only our own files, so a fragment is one or two fixed
structs with their rows, and any wrong size or type shows at once.
"""
import struct
from collections.abc import Sequence
from typing import NamedTuple

TRACK, SOUND_TRACK = 1, 2
SECONDS_1904_TO_1970 = 2_082_844_800


class Mp4Error(Exception):
    """The bytes are not a recording of ours, or too short for one. The message says at which byte it ends."""


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


BOX = struct.Struct(">I4s")                 # size with these 8 bytes, type

# moof > mfhd (sequence), then a traf for each track with samples in the fragment, the picture's first
MOOF = struct.Struct(">I4s" "I4sII")
# traf > tfhd (track; offsets count from moof), tfdt (64-bit base time), trun (signed offsets)
TRAF = struct.Struct(">I4s" "I4sII" "I4sIQ" "I4sIII")
ROW = struct.Struct(">IIIi")                # a sample: duration, size, flags, composition offset
TRUN_FIELDS = 0x01_000F01                   # version 1; data offset; duration, size, flags and offset of each sample
SYNC, NO_SYNC = 0x0200_0000, 0x0101_0000    # sample flags: independent of other samples / dependent
FIRST_MOOF = struct.pack(">4sI4sII", b"moof", 16, b"mfhd", 0, 1)    # the start of the first fragment, after its size


BASE = struct.Struct(">Q")                  # the base time of a fragment's first track, in its ticks,
BASE_AT = MOOF.size + struct.calcsize(">I4s" "I4sII" "I4sI")        # and its place


class SampleRun(NamedTuple):
    """A track's part of a fragment. Its samples follow one another in the file without a hole."""

    track: int
    base: int               # time of decoding of its first sample, in the track's ticks
    rows: Sequence[int]     # four numbers for each sample, as in ROW


def traf_b(rows_n: int) -> int:
    """Returns the size of a track's box in the fragment's head."""
    return TRAF.size + ROW.size * rows_n


def traf(track: int, base: int, rows_n: int, data_at: int) -> bytes:
    """Returns a track's box up to its sample rows. Its data begins `data_at` bytes after the start of moof."""
    rows_b = ROW.size * rows_n
    return TRAF.pack(TRAF.size + rows_b, b"traf", 16, b"tfhd", 0x020000, track, 20, b"tfdt", 0x0100_0000, base,
                     20 + rows_b, b"trun", TRUN_FIELDS, rows_n, data_at)


def base(fragment: bytes) -> int:
    """Returns the time of decoding of the first sample in a fragment's first track, in its ticks."""
    return int(BASE.unpack_from(fragment, BASE_AT)[0])


def rebased(fragment: bytes, ticks: int) -> bytes:
    """Returns a fragment of one track with that base time."""
    whole = memoryview(fragment)
    return b"".join((whole[:BASE_AT], BASE.pack(ticks), whole[BASE_AT + BASE.size:]))


def moof(sequence: int, runs: Sequence[SampleRun]) -> bytes:
    """Returns the whole head of a fragment, with that of mdat. Raises struct.error if a number exceeds its field."""
    moof_b = MOOF.size + sum(traf_b(len(run.rows) // 4) for run in runs)
    parts, data_at = [MOOF.pack(moof_b, b"moof", 16, b"mfhd", 0, sequence)], moof_b + BOX.size
    for track, base, rows in runs:
        parts += traf(track, base, len(rows) // 4, data_at), struct.pack(">" + "IIIi" * (len(rows) // 4), *rows)
        data_at += sum(rows[1::4])
    return b"".join((*parts, BOX.pack(data_at - moof_b, b"mdat")))
