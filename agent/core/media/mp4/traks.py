"""The boxes that describe a film and its tracks before any sample, in the head of a recording or a cut.

Sample entries say how the samples of a track are encoded; they are read back, too. All boxes are version 1, because
seconds since 1904 exceed 32 bits in 2040, and recorders last long. Formats: ISO/IEC 14496-12 §8.2-8.7, §12.1.3 and
§12.2.3 (entries), 14496-15 (avc1, hvc1), 14496-14 with 14496-1 §7.2.6 (mp4a and its descriptors), QuickTime File Format
by Apple (alaw, ulaw).
"""
import struct
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.media.model import AudioInfo, StreamInfo
from agent.core.media.mp4.boxes import BOX, SECONDS_1904_TO_1970, SOUND_TRACK, TRACK, Mp4Error, box, full_box

VISUAL = struct.Struct(">6xH16xHHII4xH32xHh")       # reference, width, height, two resolutions, frames, depth
SOUND = struct.Struct(">6xH8xHH4xI")                # reference, channels, bits of a sample, rate << 16

VISUAL_ENTRIES = {"h264": (b"avc1", b"avcC"), "h265": (b"hvc1", b"hvcC")}
VISUAL_CODECS = {kinds: codec for codec, kinds in VISUAL_ENTRIES.items()}
SOUND_ENTRIES = {"aac": b"mp4a", "pcma": b"alaw", "pcmu": b"ulaw"}
SOUND_CODECS = {kind: codec for codec, kind in SOUND_ENTRIES.items()}

CONFIG_B_MAX = 64           # of AAC's configuration, which has 2 to 7 bytes
RATE_HZ_MAX, CHANNELS_MAX = 192_000, 8
SOUND_B_MAX = 65_536        # of one piece of sound: an AAC frame has at most 768 bytes a channel
RATE_LIMIT = 2**16          # of the entry's field; the track's timescale has every rate

ES, DECODER, SPECIFIC, SYNC_LAYER = 3, 4, 5, 6      # tags of descriptors
AAC, AUDIO_STREAM = 0x40, 0x15
CONFIG_AT = 26              # in the body of esds: after version, flags and the heads of the outer descriptors


def visual_entry(stream: StreamInfo) -> bytes:
    """Returns the picture's sample entry with its decoder record."""
    entry, record = VISUAL_ENTRIES[stream.codec]
    fields = VISUAL.pack(1, stream.width, stream.height, 0x480000, 0x480000, 1, 24, -1)
    return box(entry, fields, box(record, stream.config))


def holds(audio: AudioInfo) -> bool:
    """Whether sound of this format can be recorded unchanged."""
    return (audio.codec in SOUND_ENTRIES and 0 < audio.rate_hz <= RATE_HZ_MAX and 0 < audio.channels <= CHANNELS_MAX
            and (audio.codec != "aac" or 0 < len(audio.config) <= CONFIG_B_MAX))


def sound_entry(audio: AudioInfo) -> bytes:
    """Returns the sample entry of sound that `holds`; for AAC with its descriptors."""
    rate_hz = audio.rate_hz if audio.rate_hz < RATE_LIMIT else 0
    fields = SOUND.pack(1, audio.channels, 16, rate_hz << 16)
    return box(SOUND_ENTRIES[audio.codec], fields, _esds(audio.config) if audio.codec == "aac" else b"")


def _esds(config: bytes) -> bytes:
    decoder = struct.pack(">BB11x", AAC, AUDIO_STREAM) + _descriptor(SPECIFIC, config)
    return full_box(b"esds", 0, 0, _descriptor(ES, bytes(3) + _descriptor(DECODER, decoder) +
                                               _descriptor(SYNC_LAYER, b"\x02")))


def _descriptor(tag: int, body: bytes) -> bytes:
    """Ours are shorter than 128 bytes, so the length takes one byte."""
    return bytes((tag, len(body))) + body


def aac_config(esds: bytes) -> bytes:
    """Returns AAC's configuration from an esds body of `sound_entry`. Raises Mp4Error."""
    config = esds[CONFIG_AT:]
    config = config[:esds[CONFIG_AT - 1]] if config else b""
    if not 0 < len(config) <= CONFIG_B_MAX or _esds(config)[BOX.size:] != esds:
        raise Mp4Error("a description of AAC that is not ours")
    return config


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
    """Returns the sound's track, which counts in samples. It is as long as the picture, even if its last edit isn't."""
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
