"""Reads a tar archive that anybody may have made, block by block, in its simplest form alone: plain files.

No extension of the format is understood, so none can name a file elsewhere, or take time or memory: a header is 512
bytes, and what follows it is either a file's content or the end.
"""
import tarfile
from collections.abc import Iterator
from typing import NamedTuple, Protocol

BLOCK_B = tarfile.BLOCKSIZE
PIECE_B = 1 << 20


class Reader(Protocol):
    """What is read from."""

    def read(self, size_b: int, /) -> bytes:
        """The next bytes: fewer than `size_b` at the end alone."""


class NotPlainTar(Exception):
    """It is no such archive, or more than it may be; the text says what is wrong."""


class TarMember(NamedTuple):
    """A file of the archive. Its name may lead anywhere: the caller judges it."""

    name: str
    size_b: int


def members(file: Reader, most_b: int, over: tuple[bytes, ...] = ()) -> Iterator[TarMember]:
    """Each file; between two steps its content must be read to its end. Entries of the kinds `over` are passed over.

    Raises NotPlainTar, also for more than `most_b` of headers and content: a packed one may promise without end.
    """
    total_b = 0
    while any(block := exactly(file, BLOCK_B)):
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError):
            raise NotPlainTar("it is no tar archive, or damaged") from None
        passed_over = info.type in over and not info.size
        if (info.type != tarfile.REGTYPE and not passed_over) or info.size < 0:
            raise NotPlainTar(f"{info.name} is no plain file")
        total_b += BLOCK_B + info.size
        if total_b > most_b:
            raise NotPlainTar(f"it is larger than {most_b >> 20} MB")
        if passed_over:
            continue
        yield TarMember(info.name, info.size)
        exactly(file, -info.size % BLOCK_B)


def pieces(file: Reader, size_b: int) -> Iterator[bytes]:
    """The next `size_b` bytes, a piece at a time. Raises NotPlainTar where the file ends before."""
    while size_b:
        piece = exactly(file, min(size_b, PIECE_B))
        size_b -= len(piece)
        yield piece


def exactly(file: Reader, size_b: int) -> bytes:
    """The next `size_b` bytes. Raises NotPlainTar where the file ends before."""
    data = file.read(size_b)
    if len(data) != size_b:
        raise NotPlainTar("it is cut short")
    return data
