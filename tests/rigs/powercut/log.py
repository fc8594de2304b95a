"""The log of a disk, and what a card may hold when the power goes at any entry of it.

What was flushed is there. A write that was completed and not flushed may be there, or not, or in part: a card's cache
is emptied in no order, and a sector of 512 bytes is all that it writes whole.
"""
import bisect
import os
import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ENTRY = struct.Struct("<cQQQ")          # as plugin.py writes it
FLUSH, ZERO = b"F", b"Z"
SECTOR_B = 512
FATES = ("kept", "dropped", "diced", "torn")        # of what was completed and not flushed


class Entry(NamedTuple):
    """One write, of data or zeros, or one flush."""

    kind: bytes
    offset: int
    length: int
    mono_ns: int            # when it was completed, on the boot-time clock
    data_at: int            # where its data begins in the log
    end: int                # where it ends in the log


@dataclass(frozen=True, slots=True)
class Log:
    """All entries so far."""

    path: Path
    entries: list[Entry]

    @classmethod
    def read(cls, path: Path) -> "Log":
        """The log of a disk that is out of use. Raises OSError."""
        entries, at, log_b = [], 0, path.stat().st_size
        with path.open("rb") as file:
            while at + ENTRY.size <= log_b:
                file.seek(at)
                kind, offset, length, mono_ns = ENTRY.unpack(file.read(ENTRY.size))
                end = at + ENTRY.size + (length if kind not in (FLUSH, ZERO) else 0)
                entries.append(Entry(kind, offset, length, mono_ns, at + ENTRY.size, end))
                at = end
        return cls(path, entries)

    @staticmethod
    def pack(kind: bytes, offset: int, data: bytes, mono_ns: int = 0) -> bytes:
        """An entry as the plugin writes it."""
        return ENTRY.pack(kind, offset, len(data), mono_ns) + data

    def number(self, log_b: int) -> int:
        """How many entries there were, at least, once the log had this size."""
        return bisect.bisect_left(self.entries, log_b, key=lambda entry: entry.end) + 1 if log_b else 0

    def flushed_n(self, cut: int) -> int:
        """How many of the first `cut` entries were safe by then."""
        return next((n for n in range(cut, 0, -1) if self.entries[n - 1].kind == FLUSH), 0)


class Replay:
    """Makes the card's image at one cut after the other; cuts come in rising order."""

    def __init__(self, log: Log, image: Path, size_b: int, base: Path | None = None) -> None:
        """`image` is made, and holds what was flushed; `base` is what the disk had before the log began."""
        self._log, self._done_n = log, 0
        self._data = os.open(log.path, os.O_RDONLY)
        if base:
            copy(base, image, size_b)
        self._image = os.open(image, os.O_RDWR | os.O_CREAT | (0 if base else os.O_TRUNC))
        os.ftruncate(self._image, size_b)
        self._size_b = size_b

    def cut(self, before: int, fate: str, dice: random.Random, target: Path, *, into: bool = False) -> None:
        """`target` is what is left if the power goes before entry number `before`.

        It is a new file, or the one that is there (`into`), for a process that has it open.
        """
        safe_n = self._log.flushed_n(before)
        for entry in self._log.entries[self._done_n:safe_n]:
            self._apply(self._image, entry, entry.length)
        self._done_n = max(self._done_n, safe_n)
        if not into:
            target.unlink(missing_ok=True)      # the kernel may not be done with the last one
        copy = os.open(target, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if into else os.O_EXCL))
        _copy(self._image, copy, self._size_b)
        for entry in self._log.entries[safe_n:before]:
            if length := _survives(entry.length, fate, dice):
                self._apply(copy, entry, length)
        os.close(copy)

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._data)
        os.close(self._image)

    def _apply(self, target: int, entry: Entry, length: int) -> None:
        if entry.kind != FLUSH:
            data = bytes(length) if entry.kind == ZERO else os.pread(self._data, length, entry.data_at)
            os.pwrite(target, data, entry.offset)


def _survives(length: int, fate: str, dice: random.Random) -> int:
    """How many bytes of an unflushed write reach the card."""
    if fate == "kept":
        return length
    if fate == "dropped" or dice.random() < 0.5:
        return 0
    return SECTOR_B * dice.randint(0, length // SECTOR_B) if fate == "torn" else length


def copy(source: Path, target: Path, size_b: int) -> None:
    """A file of this size with the same bytes, and the same holes; `target` is made anew."""
    target.unlink(missing_ok=True)
    ends = os.open(source, os.O_RDONLY), os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    _copy(*ends, size_b)
    for end in ends:
        os.close(end)


def _copy(source: int, target: int, size_b: int) -> None:
    """The same bytes, and the same holes."""
    os.ftruncate(target, size_b)
    at = 0
    while at < size_b:
        try:
            begin = os.lseek(source, at, os.SEEK_DATA)
        except OSError:             # no more data
            return
        at = os.lseek(source, begin, os.SEEK_HOLE)
        while begin < at:
            begin += os.copy_file_range(source, target, at - begin, begin, begin)
