"""A simulated card: what programs see in a folder, and what of it is there after a power cut.

A flush makes a file's bytes certain, and with them its name, its size and all changes of names up to its own last one,
as on a file system with a journal; where only bytes in its midst have changed, the journal stays where it is. What is
not certain may be there or not: changes of names in their order, up to any of them; of bytes, any sectors.
"""
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath
from random import Random
from typing import NamedTuple

SECTOR_B = 512
INDEX = "-shm"          # SQLite's index of its log is mapped into memory: anything may be in it
Image = dict[str, bytes | None]         # path -> content; None: a folder. A folder comes before what is in it


class Fate(Enum):
    """What becomes of that which was not flushed."""

    NONE = "none of it is there"
    ALL = "all of it is there, as if only the processes had been killed"
    IN_ORDER = "names up to one of them; of each file the first part of what was written"
    ANY = "names up to one of them; of each file any sectors, and perhaps its size"


class Patch(NamedTuple):
    """Bytes that were written and not flushed."""

    offset: int
    data: bytes

    def sectors(self) -> Iterator[tuple[int, bytes]]:
        """They sector by sector, each with its offset."""
        at, end = self.offset, self.offset + len(self.data)
        while at < end:
            until = min(end, at - at % SECTOR_B + SECTOR_B)
            yield at, self.data[at - self.offset:until - self.offset]
            at = until


class Resize(NamedTuple):
    """Another size that was not flushed, and its place in the journal."""

    size_b: int
    journal_n: int


@dataclass(slots=True, eq=False)
class File:
    """A file without its name."""

    seen: bytearray = field(default_factory=bytearray)      # by programs
    certain: bytes = b""                                    # on the card, whatever comes
    pending: list[Patch | Resize] = field(default_factory=list)
    journal_n: int = 0                  # so much of the journal is flushed with it

    def flush(self) -> None:
        """All of its bytes are certain now."""
        if self.pending:
            self.certain, self.pending = bytes(self.seen), []

    def drawn(self, fate: Fate, dice: Random, journal_n: int) -> bytes:
        """Its bytes after a cut that left so much of the journal."""
        drawn, survives = bytearray(self.certain), self._survival(fate, dice)
        for change in self.pending:
            if isinstance(change, Resize):
                if change.journal_n <= journal_n:
                    resize(drawn, change.size_b)
            else:
                for offset, data in change.sectors():
                    if survives():
                        lay(drawn, offset, data)
        if fate is Fate.ANY and self.pending and dice.random() < 0.5:
            resize(drawn, max(len(drawn), len(self.seen)))
        return bytes(drawn)

    def _survival(self, fate: Fate, dice: Random) -> Callable[[], bool]:
        """Tells of one pending sector after the other whether it is on the card."""
        if fate is Fate.ANY:
            share = dice.choice((0.1, 0.5, 0.9))
            return lambda: dice.random() < share
        sectors_n = sum(sum(1 for _ in patch.sectors()) for patch in self.pending if isinstance(patch, Patch))
        first_n = {Fate.NONE: 0, Fate.ALL: sectors_n, Fate.IN_ORDER: dice.randint(0, sectors_n)}[fate]
        countdown = iter(range(first_n))
        return lambda: next(countdown, None) is not None


class Change(NamedTuple):
    """A change of names. A new file or folder has no `source`; what is removed has no `target`."""

    source: str | None
    target: str | None
    file: File | None           # None: a folder


class Card:
    """One folder's files and names; paths are relative to it."""

    def __init__(self) -> None:
        self.names: dict[str, File | None] = {"": None}
        self.before = dict(self.names)                  # the names before the first change
        self.journal: list[Change] = []
        self.certain_n = 0                              # of the journal
        self._changed_n: dict[str, int] = {}            # where in the journal each folder last changed

    @classmethod
    def of(cls, image: Image) -> "Card":
        """A card on which all of this is certain."""
        card = cls()
        card.names = {path: None if content is None else File(bytearray(content), content)
                      for path, content in image.items()}
        card.before = dict(card.names)
        return card

    def make(self, path: str, folder: bool = False) -> None:
        """A new file or folder."""
        self._change(Change(None, path, None if folder else File()))

    def rename(self, source: str, target: str) -> None:
        """Another name, in the place of whatever had it."""
        self._change(Change(source, target, self.names[source]))

    def remove(self, path: str) -> None:
        """A name less."""
        self._change(Change(path, None, self.names[path]))

    def _change(self, change: Change) -> None:
        self.journal.append(change)
        obey(self.names, change)
        for path in (change.source, change.target):
            if path is not None:
                self._changed_n[str(PurePath(path).parent).removeprefix(".")] = len(self.journal)
        if change.file is not None:
            change.file.journal_n = len(self.journal)

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Bytes at an offset, beyond the end too."""
        if offset + len(data) > len(file.seen):
            file.journal_n = len(self.journal)
        lay(file.seen, offset, data)
        file.pending.append(Patch(offset, data))

    def resize(self, file: File, size_b: int) -> None:
        """Another size; what is new of it reads as zeros."""
        if size_b != len(file.seen):
            file.journal_n = len(self.journal)
            resize(file.seen, size_b)
            file.pending.append(Resize(size_b, file.journal_n))

    def flush(self, what: File | str) -> None:
        """A file or, by its path, a folder."""
        if isinstance(what, File):
            what.flush()
            flushed_n = what.journal_n
        else:
            flushed_n = self._changed_n.get(what, 0)
        self.certain_n = max(self.certain_n, flushed_n)

    def cut(self, fate: Fate, dice: Random) -> Image:
        """What is there when the power comes back."""
        last_n = len(self.journal)
        journal_n = {Fate.NONE: self.certain_n, Fate.ALL: last_n}.get(fate) or dice.randint(self.certain_n, last_n)
        names = dict(self.before)
        for change in self.journal[:journal_n]:
            obey(names, change)
        image = {path: file and file.drawn(fate, dice, journal_n) for path, file in names.items()}
        if fate is Fate.ANY:
            image.update({path: dice.randbytes(32_768) for path in image if path.endswith(INDEX)})
        return image


def obey(names: dict[str, File | None], change: Change) -> None:
    """Make a change of names."""
    if change.source is not None:
        del names[change.source]
    if change.target is not None:
        names[change.target] = change.file


def lay(content: bytearray, offset: int, data: bytes) -> None:
    """Write over the content, which grows as it must."""
    resize(content, max(len(content), offset))
    content[offset:offset + len(data)] = data


def resize(content: bytearray, size_b: int) -> None:
    """Cut it off, or let zeros follow."""
    del content[size_b:]
    content.extend(bytes(size_b - len(content)))
