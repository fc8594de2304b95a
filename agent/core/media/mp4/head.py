"""The head of a recording, with its index: a player reads it before the first fragment. Written at the start and at the
close.

Both have the same length, because room is reserved: `[ftyp][moov][free]` becomes `[ftyp][moov with
durations][free][sidx]`. The index is a bounded list of stretches, each from a keyframe on. Formats: ISO/IEC 14496-12
§8.8 and §8.16.3 (sidx); those of the tracks are in `traks.py`.
"""
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from agent.core.media.model import AudioInfo, StreamInfo
from agent.core.media.mp4.boxes import BOX, TRACK, box, full_box
from agent.core.media.mp4.traks import Edit, Show, mvhd, picture_trak, sound_trak


class Reference(NamedTuple):
    """A stretch of whole fragments as in `sidx`; duration in ticks."""

    size_b: int
    duration: int
    key: bool       # begins with a keyframe, so a player can start here


class Index:
    """Collects fragments. Each stretch begins at a keyframe; neighbours are merged if there are too many. A stretch is
    stored by its start, so the durations always add up to the file's."""

    def __init__(self, entries_max: int) -> None:
        """`entries_max` limits the stretches; 0 keeps no index."""
        self._entries_max = entries_max
        self._begins: list[tuple[int, int, bool]] = []      # ticks, bytes, key
        self._stride = 1            # keyframes in each stretch
        self._in_last = 0           # keyframes in the last one
        self._end = (0, 0)

    def add(self, base: int, duration: int, size_b: int, key: bool) -> None:
        """Adds a fragment: base time and duration in ticks, size, and whether it begins with a keyframe."""
        if not self._entries_max:
            return
        at_b = self._end[1]
        self._end = (base + duration, at_b + size_b)
        if not self._begins or (key and self._in_last >= self._stride):
            self._begins.append((base, at_b, key))
            self._in_last = 1
        else:
            self._in_last += key
        if len(self._begins) > self._entries_max:
            self._halve()

    def _halve(self) -> None:
        if len(self._begins) % 2 == 0:
            self._in_last += self._stride       # the last one joins a full one; if the number is odd it stays single
        self._begins = self._begins[::2]
        self._stride *= 2

    def references(self) -> list[Reference]:
        """Returns the stretches from the first fragment to the end of the last, without a hole; none if it is empty."""
        ends = [(base, at_b) for base, at_b, _ in self._begins[1:]] + [self._end]
        return [Reference(end_b - at_b, end - base, key)
                for (base, at_b, key), (end, end_b) in zip(self._begins, ends, strict=False)]


ENTRIES_MAX = 4096
SIDX = struct.Struct(">I4sIIIQQHH")         # version 1: 64-bit times
SIDX_ENTRY = struct.Struct(">III")
STARTS_WITH_KEY = 0x9000_0000               # starts_with_SAP, SAP_type 1
SIZE_LIMIT, DURATION_LIMIT = 2**31, 2**32   # of the fields of a sidx entry

NO_SAMPLES = (full_box(b"stts", 0, 0, bytes(4)), full_box(b"stsc", 0, 0, bytes(4)),
              full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)))


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """The content of a head at the start. Equal plans give equal bytes."""

    stream: StreamInfo
    timescale: int      # ticks a second
    wall_s: int         # start of the recording, Unix time; 0 if unknown
    reorder: int        # ticks from decoding to display of the first frame (B-frames), else 0
    room_b: int         # reserved after moov for the index
    audio: AudioInfo | None = None      # its track counts in samples from the display of the first frame


def room_b(entries_max: int) -> int:
    """Returns the bytes to reserve for an index of that many stretches, or 0. Raises ValueError above ENTRIES_MAX."""
    if not 0 <= entries_max <= ENTRIES_MAX:
        raise ValueError(f"an index of {entries_max} entries")
    return BOX.size + SIDX.size + SIDX_ENTRY.size * entries_max if entries_max else 0


def entries_max(plan: HeadPlan) -> int:
    """Returns how many stretches the index of such a recording may have. None with B-frames: FFmpeg (and so Chromium)
    then seeks wrongly by sidx, and correctly without it, because it scans the fragments."""
    return 0 if plan.reorder else max(0, plan.room_b - BOX.size - SIDX.size) // SIDX_ENTRY.size


def without_sound(plan: HeadPlan) -> HeadPlan:
    """Returns the head for a recording whose expected sound never came. The track's place becomes room. Players would
    wait for the sound of an empty track."""
    silent = replace(plan, audio=None)
    return replace(silent, room_b=plan.room_b + len(_moov(plan, 0)) - len(_moov(silent, 0)))


def head(plan: HeadPlan, duration: int = 0, references: Sequence[Reference] = ()) -> bytes:
    """Returns the whole head; at the close with the duration (ticks), and the stretches if they fit."""
    start = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6isommp42") + _moov(plan, duration)
    if not plan.room_b:
        return start
    index = _sidx(plan.timescale, references) if _fit(plan, references) else b""
    return start + box(b"free", bytes(plan.room_b - BOX.size - len(index))) + index


def _fit(plan: HeadPlan, references: Sequence[Reference]) -> bool:
    return 0 < len(references) <= entries_max(plan) and all(
        stretch.size_b < SIZE_LIMIT and stretch.duration < DURATION_LIMIT for stretch in references)


def _sidx(timescale: int, references: Sequence[Reference]) -> bytes:
    """The first fragment follows at once, and the last stretch ends with the file."""
    entries = [SIDX_ENTRY.pack(stretch.size_b, stretch.duration, STARTS_WITH_KEY if stretch.key else 0)
               for stretch in references]
    return sidx_head(timescale, len(entries)) + b"".join(entries)


def sidx_head(timescale: int, entries_n: int) -> bytes:
    size = SIDX.size + SIDX_ENTRY.size * entries_n
    return SIDX.pack(size, b"sidx", 0x0100_0000, TRACK, timescale, 0, 0, 0, entries_n)


def _moov(plan: HeadPlan, duration: int) -> bytes:
    """The sample tables are empty, because the fragments describe the samples."""
    show = Show(plan.wall_s, plan.timescale, duration)
    tracks = [picture_trak(show, plan.stream, [Edit(0, plan.reorder)], NO_SAMPLES)]
    if plan.audio is not None:
        tracks.append(sound_trak(show, plan.audio, [Edit(0, 0)], NO_SAMPLES))
    trexs = [full_box(b"trex", 0, 0, struct.pack(">5I", TRACK + number, 1, 0, 0, 0)) for number in range(len(tracks))]
    mvex = box(b"mvex", full_box(b"mehd", 1, 0, struct.pack(">Q", duration)), *trexs)
    return box(b"moov", mvhd(show, len(tracks)), *tracks, mvex)
