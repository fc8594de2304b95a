"""Reads recordings of ours, also torn ones, piece by piece: at most a megabyte at a time, however long the clip.

Nothing outside is believed: every size is checked before it is used, every step goes forward, every read has a bound.
"""
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.model import StreamInfo
from agent.core.mp4.boxes import BOX, FIRST_MOOF, MOOF, NO_SYNC, ROW, SECONDS_1904_TO_1970, SYNC, Mp4Error, moof
from agent.core.mp4.head import ENTRIES_MAX, SAMPLE_ENTRIES, Plan, room_b

ReadAt = Callable[[int, int], bytes]        # (offset, so many bytes) -> bytes, fewer only at the end of the file

HEAD_MAX_B = room_b(ENTRIES_MAX) + 65_536
ROWS_MAX_B = 1_048_576                      # 65,536 frames in one fragment: an hour at 15 a second
LEAP_MAX = 2**31                            # ticks, six hours: no fragment lasts longer, no gap before the next does
CODECS = {kinds: codec for codec, kinds in SAMPLE_ENTRIES.items()}


class Fragment(NamedTuple):
    """A whole fragment; times in ticks since the recording's first packet."""

    offset: int
    size_b: int
    base: int           # when its first sample is decoded
    duration: int
    samples_n: int
    key: bool           # its first sample is a keyframe


class Sample(NamedTuple):
    """One packet in the file; times in ticks since the recording's first packet."""

    offset: int
    size_b: int
    dts: int
    pts: int            # when it is shown, the edit list taken into account
    duration: int
    key: bool


@dataclass(frozen=True, slots=True)
class Head:
    """What the file's beginning says, and where the first fragment starts."""

    plan: Plan
    size_b: int


def read_head(read_at: ReadAt) -> Head:
    """Read the file's head; a file without fragments is all head. Raises Mp4Error."""
    data = read_at(0, HEAD_MAX_B)
    begin, end = _path(data, 0, len(data), b"moov")
    # The room behind moov may be half written after a cut, so the first fragment is looked for, not counted to.
    found = data.find(FIRST_MOOF, end + 4)
    size_b = len(data) if found < 0 else found - 4
    if found >= 0 and 0 < size_b - end < BOX.size:
        raise Mp4Error(f"{size_b - end} stray bytes before the first fragment")
    return Head(_plan(data, begin, end, size_b - end), size_b)


def fragments(read_at: ReadAt, head: Head) -> Iterator[Fragment]:
    """The whole fragments from the first on, up to one that is cut short, damaged or not of this recording."""
    offset, sequence, due = head.size_b, 1, range(1)
    while (fragment := _fragment(read_at, offset, sequence, due)) is not None:
        yield fragment
        offset, sequence = offset + fragment.size_b, sequence + 1
        due = range(fragment.base, fragment.base + fragment.duration + LEAP_MAX)


def samples(read_at: ReadAt, head: Head, fragment: Fragment) -> Iterator[Sample]:
    """The packets of a fragment that `fragments` found. Raises Mp4Error if the file has changed since."""
    rows = _rows(read_at, fragment)
    at, dts = fragment.offset + MOOF.size + len(rows) + BOX.size, fragment.base
    for duration, size_b, flags, shown_after in ROW.iter_unpack(rows):
        yield Sample(at, size_b, dts, dts + shown_after - head.plan.reorder, duration, flags == SYNC)
        at += size_b
        dts += duration


def _rows(read_at: ReadAt, fragment: Fragment) -> bytes:
    rows = read_at(fragment.offset + MOOF.size, ROW.size * fragment.samples_n)
    if len(rows) < ROW.size * fragment.samples_n:
        raise Mp4Error(f"the fragment at {fragment.offset} is gone")
    return rows


def _fragment(read_at: ReadAt, offset: int, sequence: int, due: range) -> Fragment | None:
    """The fragment at `offset` if it is there to its last byte, has that sequence number and begins when one is due."""
    start = read_at(offset, MOOF.size)
    if len(start) < MOOF.size:
        return None
    fields = MOOF.unpack(start)
    samples_n, base = fields[-2], fields[-6]
    if not 0 < samples_n <= ROWS_MAX_B // ROW.size or base not in due or start != moof(samples_n, sequence, base):
        return None
    rows_b = ROW.size * samples_n
    rows = read_at(offset + MOOF.size, rows_b + BOX.size)
    if len(rows) < rows_b + BOX.size:
        return None
    table = list(ROW.iter_unpack(rows[:rows_b]))
    size_b = BOX.size + sum(row[1] for row in table)
    if BOX.unpack_from(rows, rows_b) != (size_b, b"mdat") or any(row[2] not in (SYNC, NO_SYNC) for row in table):
        return None
    size_b += MOOF.size + rows_b
    duration = sum(row[0] for row in table)
    if duration > LEAP_MAX or not read_at(offset + size_b - 1, 1):
        return None
    return Fragment(offset, size_b, base, duration, samples_n, table[0][2] == SYNC)


def _plan(data: bytes, begin: int, end: int, room: int) -> Plan:
    """What our own `head` was given when it wrote the moov between `begin` and `end`."""
    mvhd, _ = _path(data, begin, end, b"mvhd", least_b=32)
    elst, _ = _path(data, begin, end, b"trak", b"edts", b"elst", least_b=28)
    stsd, stsd_end = _path(data, begin, end, b"trak", b"mdia", b"minf", b"stbl", b"stsd", least_b=16)
    made, _, timescale = struct.unpack_from(">QQI", data, mvhd + 4)
    (reorder,) = struct.unpack_from(">q", data, elst + 16)
    if not timescale:
        raise Mp4Error("a timescale of 0")
    return Plan(_stream(data, stsd + 8, stsd_end), timescale, max(0, made - SECONDS_1904_TO_1970), reorder, room)


def _stream(data: bytes, begin: int, end: int) -> StreamInfo:
    kind = data[begin + 4:begin + 8]
    entry, entry_end = _path(data, begin, end, kind, least_b=86)
    width, height = struct.unpack_from(">HH", data, entry + 24)
    record = data[entry + 82:entry + 86]
    if (kind, record) not in CODECS:
        raise Mp4Error(f"a stream of type {kind!r}")
    config, config_end = _path(data, entry + 78, entry_end, record)
    return StreamInfo(CODECS[kind, record], width, height, data[config:config_end])


def _path(data: bytes, begin: int, end: int, *kinds: bytes, least_b: int = 0) -> tuple[int, int]:
    """Where the body of a box lies, given the types of the boxes around it and its own. Raises Mp4Error."""
    for kind in kinds:
        begin, end = _child(data, begin, end, kind)
    if end - begin < least_b:
        raise Mp4Error(f"a box {kinds[-1].decode(errors='replace')} of {end - begin} bytes")
    return begin, end


def _child(data: bytes, begin: int, end: int, kind: bytes) -> tuple[int, int]:
    """The body of the first box of that type between `begin` and `end`."""
    while begin + BOX.size <= end:
        size_b, found = BOX.unpack_from(data, begin)
        if size_b < BOX.size or begin + size_b > end:
            break
        if found == kind:
            return begin + BOX.size, begin + size_b
        begin += size_b
    raise Mp4Error(f"no box {kind.decode(errors='replace')} before byte {end}")
