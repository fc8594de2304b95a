"""Puts the chosen parts one after another: the head of the film with its tables, and the byte ranges that follow it.

It is a classic MP4, `[ftyp][moov][mdat]`, in which every player can seek by the tables. Time without a recording is
closed up; `stretches` say where. A sample takes 4 to 16 bytes of memory, as in the file. Formats: ISO/IEC 14496-12
§8.6.1 (stts, ctts), §8.6.2 (stss), §8.7 (stsz, stsc, stco, co64).
"""
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.media.model import AudioInfo
from agent.core.media.mp4.boxes import BOX, Mp4Error, box, full_box
from agent.core.media.mp4.cut.choose import JOIN_US, Strip, StripPart, takes
from agent.core.media.mp4.head import HeadPlan
from agent.core.media.mp4.read import Sample
from agent.core.media.mp4.traks import NOTHING_SHOWN, Edit, Show, mvhd, picture_trak, sound_trak

OFFSET_LIMIT = 2**32        # of stco's field


class TableEntry(NamedTuple):
    """A sample in the tables; times in ticks of the track."""

    size_b: int
    duration: int
    shown_after: int        # from decoding to display
    key: bool


class Tables:
    """Collects samples in decoding order, a chunk at a time, then builds the boxes."""

    def __init__(self) -> None:
        self.samples_n = 0
        self.duration = 0                   # of all samples, ticks
        self._sizes = array("I")
        self._durations = array("I")        # pairs: count of samples, ticks of each
        self._delays = array("i")           # the same
        self._keys = array("I")             # numbers of samples, from 1
        self._chunks = array("Q")           # offset of each in the data
        self._layout = array("I")           # triples: first chunk, samples of each chunk, first sample entry

    def add(self, at_b: int, entries: Sequence[TableEntry]) -> None:
        """Adds consecutive samples without a hole, `at_b` bytes after the start of the data."""
        self._chunks.append(at_b)
        if not self._layout or self._layout[-2] != len(entries):
            self._layout.extend((len(self._chunks), len(entries), 1))
        for size_b, duration, shown_after, key in entries:
            self.samples_n += 1
            self.duration += duration
            self._sizes.append(size_b)
            _repeat(self._durations, duration)
            _repeat(self._delays, shown_after)
            if key:
                self._keys.append(self.samples_n)

    def lengthen(self, ticks: int) -> None:
        longer = self._durations[-1] + ticks
        self.duration += ticks
        if self._durations[-2] > 1:
            self._durations[-2] -= 1
        else:
            del self._durations[-2:]
        _repeat(self._durations, longer)

    def boxes(self, base_b: int, wide: bool) -> list[bytes]:
        """Returns the tables of a file whose data begins at byte `base_b`. `wide`: for offsets beyond 4 GB. Their
        length depends only on `wide`."""
        boxes = [_counted(b"stts", self._durations, 2)]
        if len(self._delays) > 2 or self._delays[1]:
            boxes.append(_counted(b"ctts", self._delays, 2, version=int(min(self._delays[1::2]) < 0)))
        if len(self._keys) < self.samples_n:
            boxes.append(_counted(b"stss", self._keys, 1))
        sizes = struct.pack(">II", 0, self.samples_n)
        offsets = array("Q" if wide else "I", [base_b + at_b for at_b in self._chunks])
        return [*boxes, _counted(b"stsc", self._layout, 3), full_box(b"stsz", 0, 0, sizes, _big_endian(self._sizes)),
                _counted(b"co64" if wide else b"stco", offsets, 1)]


def _repeat(pairs: "array[int]", value: int) -> None:
    if pairs and pairs[-1] == value:
        pairs[-2] += 1
    else:
        pairs.extend((1, value))


def _counted(kind: bytes, numbers: "array[int]", each_n: int, version: int = 0) -> bytes:
    return full_box(kind, version, 0, struct.pack(">I", len(numbers) // each_n), _big_endian(numbers))


def _big_endian(numbers: "array[int]") -> bytes:
    turned = array(numbers.typecode, numbers)
    if sys.byteorder == "little":
        turned.byteswap()
    return turned.tobytes()


SAMPLES_MAX = 2**20         # 19 hours at 15 frames a second; their tables take up to 20 MB of memory
TABLES_B_MAX = 2**26        # more than the tables of so many samples
LAG_MS = 3                  # sound this near to the end of the previous sound follows it at once


class CopyRun(NamedTuple):
    strip: int              # its index
    offset: int
    size_b: int


@dataclass(slots=True)
class FilmStretch:
    begin_us: int           # on the timeline
    end_us: int
    at_us: int              # in the film


class CutFilm:
    """One file of the cut: consecutive parts with the same encoding."""

    def __init__(self, plan: HeadPlan) -> None:
        self.plan = plan
        self.audio: AudioInfo | None = None         # once there is sound
        self.stretches: list[FilmStretch] = []
        self.strips: list[int] = []                 # indexes of its clips
        self._pictures, self._sounds = Tables(), Tables()
        self._runs = array("Q")                     # triples, as in CopyRun
        self._data_b = 0
        self._shown_after = 0                       # of the first picture, ticks
        self._decoded_us = 0                        # end of the last part, on the timeline
        self._silence = 0                           # before the first sound, in samples

    @property
    def frames_n(self) -> int:
        return self._pictures.samples_n

    @property
    def sounds_n(self) -> int:
        return self._sounds.samples_n

    @property
    def dur_us(self) -> int:
        return self._pictures.duration * 1_000_000 // self.plan.timescale

    @property
    def begin_ms(self) -> int:
        """When its first frame is shown, on the timeline; `end_ms` is the end of the last one."""
        return self.stretches[0].begin_us // 1000

    @property
    def end_ms(self) -> int:
        return self.stretches[-1].end_us // 1000

    @property
    def runs(self) -> Iterator[CopyRun]:
        numbers = iter(self._runs)
        return map(CopyRun, numbers, numbers, numbers)

    def fits(self, plan: HeadPlan) -> bool:
        """Whether a clip with that head has the film's encoding. A clip without sound fits, too."""
        mine, audio = self.plan, plan.audio
        return ((plan.stream, plan.timescale) == (mine.stream, mine.timescale)
                and (audio is None or self.audio is None or audio == self.audio))

    def add(self, take: StripPart) -> None:
        """Adds a part. Raises Mp4Error beyond SAMPLES_MAX, or if a file has changed."""
        if not self.strips:
            self._shown_after = take.first_shown - take.begin
        self._add_stretch(take)
        self.strips.append(take.number)
        shift = self._sound_shift(take)
        for fragment, count in take.shares:
            self._add_pictures(take, take.pictures(fragment, count))
            self._add_sound(take, take.heard(fragment), shift)
            if self.frames_n + self.sounds_n > SAMPLES_MAX:
                raise Mp4Error(f"more than {SAMPLES_MAX} frames; ask for a shorter time")

    def _add_stretch(self, take: StripPart) -> None:
        strip, delay = take.strip, take.first_shown - take.begin
        begin_us, end_us = strip.line_us(take.first_shown), strip.line_us(take.end + delay)
        if self.stretches and abs(strip.line_us(take.begin) - self._decoded_us) <= JOIN_US:
            self.stretches[-1].end_us = end_us
        else:
            self.stretches.append(FilmStretch(begin_us, end_us, self.dur_us))
        self._decoded_us = strip.line_us(take.end)

    def _add_pictures(self, take: StripPart, pictures: Sequence[Sample]) -> None:
        if pictures:
            shown = take.strip.shown
            entries = [TableEntry(each.size_b, each.duration, shown(each) - each.dts, each.key) for each in pictures]
            self._pictures.add(self._copy(take.number, pictures), entries)

    def _sound_shift(self, take: StripPart) -> int:
        """From the clip's time of sound to the film's, in samples."""
        plan = take.strip.head.plan
        ticks = self._pictures.duration - take.begin + plan.reorder - self._shown_after
        return round(ticks * plan.audio.rate_hz / plan.timescale) if plan.audio else 0

    def _add_sound(self, take: StripPart, sounds: Sequence[Sample], shift: int) -> None:
        """Adds sound that the previous clip did not have. A hole lengthens the sound before it."""
        entries: list[TableEntry] = []
        new: list[Sample] = []
        end = self._silence + self._sounds.duration
        for sound in sounds:
            hole = sound.pts + shift - end
            if hole < -(sound.duration // 2):
                continue
            if self.audio is None:
                self.audio, self._silence = take.strip.head.plan.audio, max(0, hole)
                end += self._silence
            elif hole * 1000 > LAG_MS * self.audio.rate_hz:
                self._lengthen(entries, hole)
                end += hole
            new.append(sound)
            entries.append(TableEntry(sound.size_b, sound.duration, 0, key=True))
            end += sound.duration
        if new:
            self._sounds.add(self._copy(take.number, new), entries)

    def _lengthen(self, entries: list[TableEntry], hole: int) -> None:
        if entries:
            entries[-1] = entries[-1]._replace(duration=entries[-1].duration + hole)
        else:
            self._sounds.lengthen(hole)

    def _copy(self, strip: int, samples: Sequence[Sample]) -> int:
        at_b, offset, size_b = self._data_b, samples[0].offset, sum(sample.size_b for sample in samples)
        runs = self._runs
        if runs and runs[-3] == strip and runs[-2] + runs[-1] == offset:
            runs[-1] += size_b
        else:
            runs.extend((strip, offset, size_b))
        self._data_b += size_b
        return at_b

    @property
    def size_b(self) -> int:
        return len(self.head()) + self._data_b

    def head(self, wall_s: int = 0) -> bytes:
        """Returns the bytes before the data. `wall_s` is the film's start, Unix time, 0 if unknown."""
        wide = self._data_b + TABLES_B_MAX >= OFFSET_LIMIT
        ftyp = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2mp41mp42")
        size_b = self._data_b + BOX.size + (8 if wide else 0)
        mdat = struct.pack(">I4sQ", 1, b"mdat", size_b) if wide else BOX.pack(size_b, b"mdat")
        head_b = len(ftyp) + len(self._moov(wall_s, 0, wide)) + len(mdat)
        return ftyp + self._moov(wall_s, head_b, wide) + mdat

    def _moov(self, wall_s: int, base_b: int, wide: bool) -> bytes:
        show = Show(wall_s, self.plan.timescale, self._pictures.duration)
        tracks = [picture_trak(show, self.plan.stream, [Edit(show.duration, self._shown_after)],
                               self._pictures.boxes(base_b, wide))]
        if self.audio is not None:
            tracks.append(sound_trak(show, self.audio, self._sound_edits(show), self._sounds.boxes(base_b, wide)))
        return box(b"moov", mvhd(show, len(tracks)), *tracks)

    def _sound_edits(self, show: Show) -> list[Edit]:
        assert self.audio is not None
        until, lasts = (samples_n * show.timescale // self.audio.rate_hz
                        for samples_n in (self._silence, self._sounds.duration))
        return [Edit(until, NOTHING_SHOWN), Edit(lasts, 0)] if until else [Edit(lasts, 0)]


def cut(strips: Sequence[Strip], begin_us: int, end_us: int) -> list[CutFilm]:
    """Returns the films of a range, in order: one, or more if the camera's encoding changes; none without a frame.

    Players take sizes and parameter sets from the start of a file. Raises Mp4Error if the range is too long or a file
    changes during reading.
    """
    return films_of(takes(strips, begin_us, end_us))


def films_of(parts: Iterable[StripPart]) -> list[CutFilm]:
    """Joins these parts, with a new film if the camera's encoding changes. Raises Mp4Error."""
    films: list[CutFilm] = []
    for part in parts:
        if not films or not films[-1].fits(part.strip.head.plan):
            films.append(CutFilm(part.strip.head.plan))
        films[-1].add(part)
    return films
