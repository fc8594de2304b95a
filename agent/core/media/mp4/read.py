"""Reads our recordings, even torn ones, in pieces of at most a megabyte.

The file is not trusted: every size is checked before use, every step goes forward, and every read is bounded.
"""
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.media.model import AudioInfo, StreamInfo
from agent.core.media.mp4.boxes import (
    BOX,
    FIRST_MOOF,
    MOOF,
    NO_SYNC,
    ROW,
    SECONDS_1904_TO_1970,
    SOUND_TRACK,
    SYNC,
    TRACK,
    TRAF,
    Mp4Error,
    traf,
    traf_b,
)
from agent.core.media.mp4.head import (
    ENTRIES_MAX,
    SIDX,
    SIDX_ENTRY,
    STARTS_WITH_KEY,
    HeadPlan,
    Reference,
    room_b,
    sidx_head,
)
from agent.core.media.mp4.traks import SOUND, SOUND_CODECS, VISUAL, VISUAL_CODECS, aac_config, holds, turn_of

ReadAt = Callable[[int, int], bytes]        # (offset, size) -> bytes, fewer only at the end of the file

HEAD_MAX_B = room_b(ENTRIES_MAX) + 65_536
ROWS_MAX_B = 1_048_576                      # 65,536 frames in one fragment: an hour at 15 a second
MOOF_MAX_B = MOOF.size + 2 * TRAF.size + ROWS_MAX_B
LEAP_MAX = 2**31  # ticks, six hours: the limit of a fragment's duration and of the gap after it


class Fragment(NamedTuple):
    """A whole fragment; times in ticks since the recording's first packet."""

    offset: int
    size_b: int
    base: int           # decoding of its first picture
    duration: int
    samples_n: int      # pictures; 0 in a fragment with late sound
    key: bool           # its first picture is a keyframe
    sound_base: int = 0         # start and duration of its sound, in ticks of the sound's rate
    sound_duration: int = 0
    sounds_n: int = 0

    @property
    def head_b(self) -> int:
        """The bytes before the first sample's data."""
        return MOOF.size + self._pictures_b + (traf_b(self.sounds_n) if self.sounds_n else 0) + BOX.size

    @property
    def _pictures_b(self) -> int:
        return traf_b(self.samples_n) if self.samples_n else 0

    @property
    def picture_rows_at(self) -> int:
        return self.offset + MOOF.size + TRAF.size

    @property
    def sound_rows_at(self) -> int:
        """Where the sound's rows begin in the file."""
        return self.picture_rows_at + self._pictures_b


class Sample(NamedTuple):
    """One packet in the file; times in ticks of its track since the display of the recording's first packet."""

    offset: int
    size_b: int
    dts: int
    pts: int            # time of display, with the edit list applied
    duration: int
    key: bool


class _Share(NamedTuple):
    base: int
    rows: list[tuple[int, int, int, int]]
    duration: int
    data_b: int


NO_SHARE = _Share(0, [], 0, 0)


@dataclass(frozen=True, slots=True)
class Mp4Head:
    """The plan in the file's head, and the size of the head."""

    plan: HeadPlan
    size_b: int


def read_head(read_at: ReadAt) -> Mp4Head:
    """Reads the file's head. A file without fragments is all head. Raises Mp4Error."""
    data = read_at(0, HEAD_MAX_B)
    begin, end = _path(data, 0, len(data), b"moov")
    # The room after moov may be half written after a power cut, so the first fragment is searched for.
    found = data.find(FIRST_MOOF, end + 4)
    size_b = len(data) if found < 0 else found - 4
    if found >= 0 and 0 < size_b - end < BOX.size:
        raise Mp4Error(f"{size_b - end} stray bytes before the first fragment")
    return Mp4Head(_plan(data, begin, end, size_b - end), size_b)


def fragments(read_at: ReadAt, head: Mp4Head) -> Iterator[Fragment]:
    """Yields whole fragments from the first on, until one is cut short, damaged or of another recording."""
    offset, sequence, due, sound_due = head.size_b, 1, range(1), range(LEAP_MAX)
    while (found := _fragment(read_at, offset, sequence, head.plan.audio is not None)) is not None:
        if found.samples_n and found.base not in due or found.sounds_n and found.sound_base not in sound_due:
            return
        if found.samples_n:
            due = range(found.base, found.base + found.duration + LEAP_MAX)
        if found.sounds_n:
            sound_end = found.sound_base + found.sound_duration
            sound_due = range(sound_end, sound_end + LEAP_MAX)
        yield found
        offset, sequence = offset + found.size_b, sequence + 1


def fragment_at(read_at: ReadAt, head: Mp4Head, offset: int) -> Fragment | None:
    """Returns the whole fragment at this offset, with any sequence number; None if absent."""
    start = read_at(offset, MOOF.size)
    if len(start) < MOOF.size:
        return None
    return _fragment(read_at, offset, MOOF.unpack(start)[-1], head.plan.audio is not None)


def references(read_at: ReadAt, head: Mp4Head) -> list[Reference]:
    """Returns the index of a finished recording, from its first fragment to its last byte; [] without a valid index."""
    room = read_at(head.size_b - head.plan.room_b, head.plan.room_b) if head.plan.room_b >= BOX.size else b""
    if len(room) < BOX.size or not room or BOX.unpack_from(room)[1] != b"free":
        return []
    index = room[BOX.unpack_from(room)[0]:]
    if len(index) < SIDX.size or index[:SIDX.size] != sidx_head(head.plan.timescale, (len(index) - SIDX.size) // 12):
        return []
    found = [Reference(size_b, duration, flags == STARTS_WITH_KEY)
             for size_b, duration, flags in SIDX_ENTRY.iter_unpack(index[SIDX.size:])]
    end = head.size_b + sum(each.size_b for each in found)
    return found if found and read_at(end - 1, 2)[1:] == b"" and read_at(end - 1, 1) else []


def samples(read_at: ReadAt, head: Mp4Head, fragment: Fragment) -> Iterator[Sample]:
    """Yields the pictures of a fragment from `fragments`. Raises Mp4Error if the file has changed."""
    at, dts = fragment.offset + fragment.head_b, fragment.base
    for duration, size_b, flags, shown_after in _rows(read_at, fragment.picture_rows_at, fragment.samples_n):
        yield Sample(at, size_b, dts, dts + shown_after - head.plan.reorder, duration, key=flags == SYNC)
        at += size_b
        dts += duration


def sounds(read_at: ReadAt, fragment: Fragment) -> Iterator[Sample]:
    """Yields the sound of a fragment from `fragments`. Raises Mp4Error if the file has changed."""
    rows = _rows(read_at, fragment.sound_rows_at, fragment.sounds_n)
    at, begin = fragment.offset + fragment.size_b - sum(row[1] for row in rows), fragment.sound_base
    for duration, size_b, _, _ in rows:
        yield Sample(at, size_b, begin, begin, duration, key=True)
        at += size_b
        begin += duration


def _rows(read_at: ReadAt, at: int, rows_n: int) -> list[tuple[int, int, int, int]]:
    rows = read_at(at, ROW.size * rows_n) if rows_n else b""
    if len(rows) < ROW.size * rows_n:
        raise Mp4Error(f"the fragment around {at} is gone")
    return list(ROW.iter_unpack(rows))


def _fragment(read_at: ReadAt, offset: int, sequence: int, has_sound: bool) -> Fragment | None:
    start = read_at(offset, MOOF.size)
    if len(start) < MOOF.size:
        return None
    moof_b, *_ = MOOF.unpack(start)
    if not MOOF.size < moof_b <= MOOF_MAX_B or start != MOOF.pack(moof_b, b"moof", 16, b"mfhd", 0, sequence):
        return None
    data = read_at(offset, moof_b + BOX.size)
    shares = _shares(data, moof_b, has_sound) if len(data) == moof_b + BOX.size else {}
    if not shares or sequence == 1 and TRACK not in shares:
        return None
    mdat_b = BOX.size + sum(share.data_b for share in shares.values())
    if BOX.unpack_from(data, moof_b) != (mdat_b, b"mdat") or not read_at(offset + moof_b + mdat_b - 1, 1):
        return None
    pictures, sound = shares.get(TRACK, NO_SHARE), shares.get(SOUND_TRACK, NO_SHARE)
    key = bool(pictures.rows) and pictures.rows[0][2] == SYNC
    return Fragment(offset, moof_b + mdat_b, pictures.base, pictures.duration, len(pictures.rows), key=key,
                    sound_base=sound.base, sound_duration=sound.duration, sounds_n=len(sound.rows))


def _shares(data: bytes, moof_b: int, has_sound: bool) -> dict[int, _Share]:
    """Returns each track's share of the fragment with the head `data`; empty unless every byte is as we write it."""
    shares: dict[int, _Share] = {}
    at, data_at = MOOF.size, moof_b + BOX.size
    for track in (TRACK, SOUND_TRACK) if has_sound else (TRACK,):
        share = _share(data, at, moof_b, track, data_at)
        if share is not None:
            shares[track] = share
            at, data_at = at + traf_b(len(share.rows)), data_at + share.data_b
    return shares if at == moof_b else {}


def _share(data: bytes, at: int, end: int, track: int, data_at: int) -> _Share | None:
    if at + TRAF.size > end:
        return None
    fields = TRAF.unpack_from(data, at)
    base, rows_n = fields[9], fields[13]
    if not 0 < rows_n <= (end - at - TRAF.size) // ROW.size:
        return None
    if data[at:at + TRAF.size] != traf(track, base, rows_n, data_at):
        return None
    rows = list(ROW.iter_unpack(data[at + TRAF.size:at + traf_b(rows_n)]))
    duration, allowed = sum(row[0] for row in rows), (SYNC, NO_SYNC) if track == TRACK else (SYNC,)
    if duration > LEAP_MAX or any(row[2] not in allowed for row in rows):
        return None
    return _Share(base, rows, duration, sum(row[1] for row in rows))


def _plan(data: bytes, begin: int, end: int, room: int) -> HeadPlan:
    mvhd, _ = _path(data, begin, end, b"mvhd", least_b=32)
    elst, _ = _path(data, begin, end, b"trak", b"edts", b"elst", least_b=28)
    stsd, stsd_end = _path(data, begin, end, b"trak", b"mdia", b"minf", b"stbl", b"stsd", least_b=16)
    made, _, timescale = struct.unpack_from(">QQI", data, mvhd + 4)
    (reorder,) = struct.unpack_from(">q", data, elst + 16)
    if not timescale:
        raise Mp4Error("a timescale of 0")
    _, picture_end = _path(data, begin, end, b"trak")
    tkhd, tkhd_end = _path(data, begin, end, b"trak", b"tkhd")
    stream = _stream(data, stsd + 8, stsd_end, turn_of(data[tkhd:tkhd_end]))
    return HeadPlan(stream, timescale, max(0, made - SECONDS_1904_TO_1970), reorder, room,
                    audio=_audio(data, picture_end, end))


def _stream(data: bytes, begin: int, end: int, turn: int) -> StreamInfo:
    kind = data[begin + 4:begin + 8]
    entry, entry_end = _path(data, begin, end, kind, least_b=VISUAL.size + BOX.size)
    _, width, height, *_ = VISUAL.unpack_from(data, entry)
    _, record = BOX.unpack_from(data, entry + VISUAL.size)
    if (kind, record) not in VISUAL_CODECS:
        raise Mp4Error(f"a stream of type {kind!r}")
    config, config_end = _path(data, entry + VISUAL.size, entry_end, record)
    return StreamInfo(VISUAL_CODECS[kind, record], width, height, data[config:config_end], turn=turn)


def _audio(data: bytes, begin: int, end: int) -> AudioInfo | None:
    if data[begin + 4:begin + 8] != b"trak":
        return None
    mdhd, _ = _path(data, begin, end, b"trak", b"mdia", b"mdhd", least_b=24)
    stsd, stsd_end = _path(data, begin, end, b"trak", b"mdia", b"minf", b"stbl", b"stsd", least_b=16)
    kind = data[stsd + 12:stsd + 16]
    entry, entry_end = _path(data, stsd + 8, stsd_end, kind, least_b=SOUND.size)
    _, channels, *_ = SOUND.unpack_from(data, entry)
    (rate_hz,) = struct.unpack_from(">I", data, mdhd + 20)
    codec, config = SOUND_CODECS.get(kind, ""), b""
    if codec == "aac":
        esds, esds_end = _path(data, entry + SOUND.size, entry_end, b"esds")
        config = aac_config(data[esds:esds_end])
    audio = AudioInfo(codec, rate_hz, channels, config)
    if not holds(audio):
        raise Mp4Error(f"sound of type {kind!r}, {rate_hz} Hz")
    return audio


def _path(data: bytes, begin: int, end: int, *kinds: bytes, least_b: int = 0) -> tuple[int, int]:
    for kind in kinds:
        begin, end = _child(data, begin, end, kind)
    if end - begin < least_b:
        raise Mp4Error(f"a box {kinds[-1].decode(errors='replace')} of {end - begin} bytes")
    return begin, end


def _child(data: bytes, begin: int, end: int, kind: bytes) -> tuple[int, int]:
    while begin + BOX.size <= end:
        size_b, found = BOX.unpack_from(data, begin)
        if size_b < BOX.size or begin + size_b > end:
            break
        if found == kind:
            return begin + BOX.size, begin + size_b
        begin += size_b
    raise Mp4Error(f"no box {kind.decode(errors='replace')} before byte {end}")
