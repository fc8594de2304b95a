"""The head of a recording: what a player reads before the first fragment. Written at the start and again at the close.

Both have the same length, for room is kept: `[ftyp][moov][free]` becomes `[ftyp][moov with durations][free][sidx]`.
Formats: ISO/IEC 14496-12 §8.2-8.8 and §8.16.3 (sidx); the samples' own are in `entries.py`.
"""
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.core.model import AudioInfo, StreamInfo
from agent.core.mp4.boxes import BOX, SECONDS_1904_TO_1970, SOUND_TRACK, TRACK, box, full_box
from agent.core.mp4.entries import sound_entry, visual_entry
from agent.core.mp4.index import Reference

ENTRIES_MAX = 4096
SIDX = struct.Struct(">I4sIIIQQHH")         # version 1: 64-bit times
SIDX_ENTRY = struct.Struct(">III")
STARTS_WITH_KEY = 0x9000_0000               # starts_with_SAP, SAP_type 1
SIZE_LIMIT, DURATION_LIMIT = 2**31, 2**32   # of what a sidx entry holds

UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a head says from the start; the same plan gives the same bytes."""

    stream: StreamInfo
    timescale: int      # ticks a second
    wall_s: int         # when the recording began, Unix time; 0 unknown
    reorder: int        # ticks that the first frame is shown after it is decoded (B-frames), else 0
    room_b: int         # kept behind moov for the index
    audio: AudioInfo | None = None      # its track counts in samples, and from the first frame's showing


def room_b(entries_max: int) -> int:
    """Bytes to keep for an index of that many stretches; 0 for none. Raises ValueError above ENTRIES_MAX."""
    if not 0 <= entries_max <= ENTRIES_MAX:
        raise ValueError(f"an index of {entries_max} entries")
    return BOX.size + SIDX.size + SIDX_ENTRY.size * entries_max if entries_max else 0


def entries_max(plan: Plan) -> int:
    """How many stretches the index of such a recording may have.

    With B-frames none: FFmpeg (and so Chromium) seeks wrongly by sidx then, and rightly without, for it scans the
    fragments.
    """
    return 0 if plan.reorder else max(0, plan.room_b - BOX.size - SIDX.size) // SIDX_ENTRY.size


def without_sound(plan: Plan) -> Plan:
    """The same head for a recording that was promised sound and got none: its track's place becomes room.

    Players wait for the sound of a track that has none.
    """
    silent = replace(plan, audio=None)
    return replace(silent, room_b=plan.room_b + len(_moov(plan, 0)) - len(_moov(silent, 0)))


def head(plan: Plan, duration: int = 0, references: Sequence[Reference] = ()) -> bytes:
    """The whole head; at the close with the duration (ticks) and the stretches, left out if they don't fit."""
    start = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6isommp42") + _moov(plan, duration)
    if not plan.room_b:
        return start
    index = _sidx(plan.timescale, references) if _fit(plan, references) else b""
    return start + box(b"free", bytes(plan.room_b - BOX.size - len(index))) + index


def _fit(plan: Plan, references: Sequence[Reference]) -> bool:
    """Whether there is something to tell, room for all of it, and no number too large for its field."""
    return 0 < len(references) <= entries_max(plan) and all(
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
    tracks = [_picture_trak(plan, made, duration)]
    if plan.audio is not None:
        tracks.append(_sound_trak(plan.audio, plan.timescale, made, duration))
    mvhd = full_box(b"mvhd", 1, 0, times, struct.pack(">IH10x", 0x10000, 0x100), UNITY,
                    struct.pack(">24xI", len(tracks) + 1))
    trexs = [full_box(b"trex", 0, 0, struct.pack(">5I", TRACK + number, 1, 0, 0, 0)) for number in range(len(tracks))]
    return box(b"moov", mvhd, *tracks, box(b"mvex", full_box(b"mehd", 1, 0, struct.pack(">Q", duration)), *trexs))


def _picture_trak(plan: Plan, made: int, duration: int) -> bytes:
    size = struct.pack(">II", plan.stream.width << 16, plan.stream.height << 16)
    tkhd = full_box(b"tkhd", 1, 3, struct.pack(">QQI4xQ16x", made, made, TRACK, duration), UNITY, size)
    mdhd = _mdhd(made, plan.timescale, duration)
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"vide"), b"video\0")
    return _trak(tkhd, plan.reorder, mdhd, hdlr, full_box(b"vmhd", 0, 1, bytes(8)), visual_entry(plan.stream))


def _sound_trak(audio: AudioInfo, timescale: int, made: int, duration: int) -> bytes:
    """It lasts as long as the picture (`duration` in ticks of `timescale`), whatever its last sample does."""
    tkhd = full_box(b"tkhd", 1, 3, struct.pack(">QQI4xQ12xH2x", made, made, SOUND_TRACK, duration, 0x100), UNITY,
                    bytes(8))
    mdhd = _mdhd(made, audio.rate_hz, duration * audio.rate_hz // timescale)
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"soun"), b"sound\0")
    return _trak(tkhd, 0, mdhd, hdlr, full_box(b"smhd", 0, 0, bytes(4)), sound_entry(audio))


def _mdhd(made: int, timescale: int, duration: int) -> bytes:
    return full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", made, made, timescale, duration, 0x55C4, 0))      # "und"


def _trak(tkhd: bytes, skipped: int, mdhd: bytes, hdlr: bytes, kind_header: bytes, entry: bytes) -> bytes:
    """The edit list says that the show begins `skipped` ticks into the media; its duration 0 means: to the end.

    The sample table holds the format only; the samples are told by the fragments.
    """
    edts = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">IQqI", 1, 0, skipped, 0x10000)))
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry)
    stbl = box(b"stbl", stsd, full_box(b"stts", 0, 0, bytes(4)), full_box(b"stsc", 0, 0, bytes(4)),
               full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)))
    minf = box(b"minf", kind_header, box(b"dinf", dref), stbl)
    return box(b"trak", tkhd, edts, box(b"mdia", mdhd, hdlr, minf))
