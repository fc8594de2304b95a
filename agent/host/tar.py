"""Reads tar archives from untrusted sources, packed or not: block by block, and only plain files.

It supports no extension of the format, so an archive cannot name a file elsewhere or use up time or memory: a header is
512 bytes, followed by the content of the file or the end. A packed archive is unpacked in bounded pieces and memory.
"""
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from agent.host.pieces import PieceReader

BLOCK_B = tarfile.BLOCKSIZE
PIECE_B = 1 << 20


class Reader(Protocol):
    """The source of the bytes."""

    def read(self, size_b: int, /) -> bytes:
        """Returns the next `size_b` bytes; fewer only at the end."""


class NotPlainTar(Exception):
    """The file is not a plain tar archive, or it is too large; the text says what is wrong."""


class TarMember(NamedTuple):
    """One file in the archive. Its name may lead anywhere: the caller must check it."""

    name: str
    size_b: int


def members(file: Reader, most_b: int, over: tuple[bytes, ...] = ()) -> Iterator[TarMember]:
    """Yields each file's header. The caller reads the content to its end before it asks for the next file.

    Skips entries of the types in `over`. Raises NotPlainTar for damage, and for more than `most_b` bytes of headers and
    content, because a packed archive may be endless.
    """
    total_b = 0
    while any(block := exactly(file, BLOCK_B)):
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError):
            raise NotPlainTar("it is not a tar archive, or it is damaged") from None
        passed_over = info.type in over and not info.size
        if (info.type != tarfile.REGTYPE and not passed_over) or info.size < 0:
            raise NotPlainTar(f"{info.name} is not a plain file")
        total_b += BLOCK_B + info.size
        if total_b > most_b:
            raise NotPlainTar(f"it is larger than {most_b >> 20} MB")
        if passed_over:
            continue
        yield TarMember(info.name, info.size)
        exactly(file, -info.size % BLOCK_B)


def pieces(file: Reader, size_b: int) -> Iterator[bytes]:
    """Yields the next `size_b` bytes in pieces. Raises NotPlainTar if the file ends before."""
    while size_b:
        piece = exactly(file, min(size_b, PIECE_B))
        size_b -= len(piece)
        yield piece


def exactly(file: Reader, size_b: int) -> bytes:
    """Returns the next `size_b` bytes. Raises NotPlainTar if the file ends before."""
    data = file.read(size_b)
    if len(data) != size_b:
        raise NotPlainTar("it is cut short")
    return data


MEMORY_B = 80 << 20         # xz -9 needs 65 MB to unpack; a file that needs more is hostile
GZIP = 31                   # wbits: a gzip header, zlib's largest window


def unpacked(name: str, file: Reader, size_b: int) -> PieceReader:
    """Returns a reader of the .tar, .tar.gz or .tar.xz in the next `size_b` bytes of a file. Raises NotPlainTar for a
    name with another ending; `read` raises it for damage."""
    how = {"tar": pieces, "gz": _gunzipped, "xz": _unxzed}.get(name.rpartition(".")[2])
    if how is None:
        raise NotPlainTar(f"{name} is packed in a way that is not known")
    return PieceReader(how(file, size_b))


def _unxzed(file: Reader, size_b: int) -> Iterator[bytes]:
    engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY_B)
    try:
        for piece in pieces(file, size_b):
            yield engine.decompress(piece, PIECE_B)
            while not (engine.needs_input or engine.eof):
                yield engine.decompress(b"", PIECE_B)
    except (lzma.LZMAError, EOFError) as error:
        raise NotPlainTar(f"it can't be unpacked ({error})") from None


def _gunzipped(file: Reader, size_b: int) -> Iterator[bytes]:
    engine = zlib.decompressobj(GZIP)
    try:
        for piece in pieces(file, size_b):
            while piece and not engine.eof:
                yield engine.decompress(piece, PIECE_B)
                piece = engine.unconsumed_tail
        while more := engine.decompress(b"", PIECE_B):
            yield more
    except zlib.error as error:
        raise NotPlainTar(f"it can't be unpacked ({error})") from None
