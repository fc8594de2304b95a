"""The sample tables of one track: 4 to 16 bytes for each sample in memory, as in the file.

Formats: ISO/IEC 14496-12 §8.6.1 (stts, ctts), §8.6.2 (stss), §8.7 (stsz, stsc, stco, co64).
"""
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.media.mp4.boxes import full_box

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
