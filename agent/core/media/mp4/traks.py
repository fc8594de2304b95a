"""The boxes that describe a film and its tracks before any sample, in the head of a recording or a cut.

Formats: ISO/IEC 14496-12 §8.2-8.7. All boxes are version 1, because seconds since 1904 exceed 32 bits in 2040, and
recorders last long.
"""
import struct
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.media.model import AudioInfo, StreamInfo
from agent.core.media.mp4.boxes import SECONDS_1904_TO_1970, SOUND_TRACK, TRACK, box, full_box
from agent.core.media.mp4.entries import sound_entry, visual_entry

ONE, LAST = 0x10000, 0x40000000
UNITY = struct.pack(">9I", ONE, 0, 0, 0, ONE, 0, 0, 0, LAST)
# Rotation of the picture, degrees clockwise, by the signs of its matrix: a, b, c, d (§8.3.2).
TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
SIGNS = {turn: signs for signs, turn in TURNS.items()}
MATRIX_AT = 52              # in the body of our tkhd
NOTHING_SHOWN = -1          # instead of an edit's media time


class Show(NamedTuple):
    """Facts about the whole film, which every track repeats."""

    wall_s: int         # time of making, Unix time; 0 if unknown
    timescale: int      # ticks a second
    duration: int       # ticks

    @property
    def made(self) -> int:
        """Seconds since 1904; 0 unknown."""
        return self.wall_s + SECONDS_1904_TO_1970 if self.wall_s else 0


class Edit(NamedTuple):
    """A part of the show, and the part of the track's media in it."""

    duration: int       # ticks of the film; 0: to the end
    media_time: int     # ticks of the track, or NOTHING_SHOWN


def mvhd(show: Show, tracks_n: int) -> bytes:
    times = struct.pack(">QQIQ", show.made, show.made, show.timescale, show.duration)
    return full_box(b"mvhd", 1, 0, times, struct.pack(">IH10x", 0x10000, 0x100), UNITY,
                    struct.pack(">24xI", tracks_n + 1))


def _matrix(stream: StreamInfo) -> bytes:
    """Rotates the picture and moves it back into view: x, y of its top left corner."""
    a, b, c, d = (sign * ONE for sign in SIGNS[stream.turn])
    x = {90: stream.height, 180: stream.width}.get(stream.turn, 0) * ONE
    y = {180: stream.height, 270: stream.width}.get(stream.turn, 0) * ONE
    return struct.pack(">9i", a, b, 0, c, d, 0, x, y, LAST)


def turn_of(tkhd: bytes) -> int:
    """Returns the picture's rotation from the body of a tkhd of `picture_trak`; 0 for any other tkhd."""
    if len(tkhd) < MATRIX_AT + len(UNITY):
        return 0
    a, b, _, c, d, *_ = struct.unpack_from(">9i", tkhd, MATRIX_AT)
    return TURNS.get(tuple((each > 0) - (each < 0) for each in (a, b, c, d)), 0)


def picture_trak(show: Show, stream: StreamInfo, edits: Sequence[Edit], tables: Sequence[bytes]) -> bytes:
    """Returns the picture's track. `tables` are the boxes of its samples."""
    size = struct.pack(">II", stream.width << 16, stream.height << 16)
    about = struct.pack(">QQI4xQ16x", show.made, show.made, TRACK, show.duration)
    tkhd = full_box(b"tkhd", 1, 3, about, _matrix(stream), size)
    mdhd = _mdhd(show.made, show.timescale, show.duration)
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"vide"), b"video\0")
    media = mdhd + hdlr, full_box(b"vmhd", 0, 1, bytes(8)), visual_entry(stream)
    return _trak(tkhd, edits, media, tables)


def sound_trak(show: Show, audio: AudioInfo, edits: Sequence[Edit], tables: Sequence[bytes]) -> bytes:
    """Returns the sound's track, which counts in samples. It is as long as the picture, even if its last edit is not.
    """
    about = struct.pack(">QQI4xQ12xH2x", show.made, show.made, SOUND_TRACK, show.duration, 0x100)
    tkhd = full_box(b"tkhd", 1, 3, about, UNITY, bytes(8))
    mdhd = _mdhd(show.made, audio.rate_hz, show.duration * audio.rate_hz // show.timescale)
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"soun"), b"sound\0")
    return _trak(tkhd, edits, (mdhd + hdlr, full_box(b"smhd", 0, 0, bytes(4)), sound_entry(audio)), tables)


def _mdhd(made: int, timescale: int, duration: int) -> bytes:
    return full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", made, made, timescale, duration, 0x55C4, 0))      # "und"


def _trak(tkhd: bytes, edits: Sequence[Edit], media: tuple[bytes, bytes, bytes], tables: Sequence[bytes]) -> bytes:
    """`media` has the track's description, the header of its kind, and its sample entry."""
    what, kind_header, entry = media
    entries = b"".join(struct.pack(">QqI", *edit, 0x10000) for edit in edits)
    edts = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), entries))
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    stbl = box(b"stbl", full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry), *tables)
    minf = box(b"minf", kind_header, box(b"dinf", dref), stbl)
    return box(b"trak", tkhd, edts, box(b"mdia", what, minf))
