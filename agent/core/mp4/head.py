"""The head of a recording: what a player reads before the first fragment. Written at the start and again at the close.

Both have the same length, for room is kept: `[ftyp][moov][free]` becomes `[ftyp][moov with durations][free][sidx]`.
Formats: ISO/IEC 14496-12 §8.2-8.8 and §8.16.3 (sidx), ISO/IEC 14496-15 (avc1, hvc1).
"""
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.model import StreamInfo
from agent.core.mp4.boxes import BOX, SECONDS_1904_TO_1970, TRACK, box, full_box
from agent.core.mp4.index import Reference

ENTRIES_MAX = 4096
SIDX = struct.Struct(">I4sIIIQQHH")         # version 1: 64-bit times
SIDX_ENTRY = struct.Struct(">III")
STARTS_WITH_KEY = 0x9000_0000               # starts_with_SAP, SAP_type 1
SIZE_LIMIT, DURATION_LIMIT = 2**31, 2**32   # of what a sidx entry holds

SAMPLE_ENTRIES = {"h264": (b"avc1", b"avcC"), "h265": (b"hvc1", b"hvcC")}
UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a head says from the start; the same plan gives the same bytes."""

    stream: StreamInfo
    timescale: int      # ticks a second
    wall_s: int         # when the recording began, Unix time; 0 unknown
    reorder: int        # ticks that the first frame is shown after it is decoded (B-frames), else 0
    room_b: int         # kept behind moov for the index


def room_b(entries_max: int) -> int:
    """Bytes to keep for an index of that many stretches; 0 for none. Raises ValueError above ENTRIES_MAX."""
    if not 0 <= entries_max <= ENTRIES_MAX:
        raise ValueError(f"an index of {entries_max} entries")
    return BOX.size + SIDX.size + SIDX_ENTRY.size * entries_max if entries_max else 0


def entries_in(room: int) -> int:
    """How many stretches can be told in `room` bytes."""
    return max(0, room - BOX.size - SIDX.size) // SIDX_ENTRY.size


def head(plan: Plan, duration: int = 0, references: Sequence[Reference] = ()) -> bytes:
    """The whole head; at the close with the duration (ticks) and the stretches, left out if they don't fit."""
    start = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6isommp42") + _moov(plan, duration)
    if not plan.room_b:
        return start
    index = _sidx(plan.timescale, references) if _fit(plan.room_b, references) else b""
    return start + box(b"free", bytes(plan.room_b - BOX.size - len(index))) + index


def _fit(room: int, references: Sequence[Reference]) -> bool:
    """Whether there is something to tell, room for all of it, and no number too large for its field."""
    return 0 < len(references) <= entries_in(room) and all(
        stretch.size_b < SIZE_LIMIT and stretch.duration < DURATION_LIMIT for stretch in references)


def _sidx(timescale: int, references: Sequence[Reference]) -> bytes:
    """Behind it the first fragment begins at once, and the last stretch ends with the file."""
    entries = [SIDX_ENTRY.pack(stretch.size_b, stretch.duration, STARTS_WITH_KEY if stretch.key else 0)
               for stretch in references]
    size = SIDX.size + SIDX_ENTRY.size * len(entries)
    return SIDX.pack(size, b"sidx", 0x0100_0000, TRACK, timescale, 0, 0, 0, len(entries)) + b"".join(entries)


def _moov(plan: Plan, duration: int) -> bytes:
    """Version 1 boxes throughout: seconds since 1904 pass 32 bits in 2040, and recorders on a wall live long."""
    made = plan.wall_s + SECONDS_1904_TO_1970 if plan.wall_s else 0
    times = struct.pack(">QQIQ", made, made, plan.timescale, duration)
    mvhd = full_box(b"mvhd", 1, 0, times, struct.pack(">IH10x", 0x10000, 0x100), UNITY, struct.pack(">24xI", TRACK + 1))
    mvex = box(b"mvex", full_box(b"mehd", 1, 0, struct.pack(">Q", duration)),
               full_box(b"trex", 0, 0, struct.pack(">5I", TRACK, 1, 0, 0, 0)))
    return box(b"moov", mvhd, _trak(plan, made, duration), mvex)


def _trak(plan: Plan, made: int, duration: int) -> bytes:
    """The edit list says that the show begins `reorder` ticks into the media; its duration 0 means: to the end."""
    size = struct.pack(">II", plan.stream.width << 16, plan.stream.height << 16)
    tkhd = full_box(b"tkhd", 1, 3, struct.pack(">QQI4xQ16x", made, made, TRACK, duration), UNITY, size)
    mdhd = full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", made, made, plan.timescale, duration, 0x55C4, 0))      # "und"
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"vide"), b"video\0")
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    minf = box(b"minf", full_box(b"vmhd", 0, 1, bytes(8)), box(b"dinf", dref), _stbl(plan.stream))
    edts = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">IQqI", 1, 0, plan.reorder, 0x10000)))
    return box(b"trak", tkhd, edts, box(b"mdia", mdhd, hdlr, minf))


def _stbl(stream: StreamInfo) -> bytes:
    """The sample table holds the format only; the samples are told by the fragments."""
    entry, config = SAMPLE_ENTRIES[stream.codec]
    visual = struct.pack(">6xH16xHHII4xH32xHh", 1, stream.width, stream.height, 0x480000, 0x480000, 1, 24, -1)
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", 1), box(entry, visual, box(config, stream.config)))
    return box(b"stbl", stsd, full_box(b"stts", 0, 0, bytes(4)), full_box(b"stsc", 0, 0, bytes(4)),
               full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)))
