"""Reads what is packed inside an archive, in bounded pieces and bounded memory, whatever a stranger has put there.

It knows the three ways in which Debian's packages may be packed and Python's library can unpack.
"""
import lzma
import zlib
from collections.abc import Iterator

from agent.host.tar import PIECE_B, NotPlainTar, Reader, pieces

MEMORY_B = 80 << 20         # xz -9 takes 65 MB to unpack; what asks for more was made to hurt
GZIP = 31                   # wbits: a gzip header, zlib's largest window


class UnpackedReader:
    """A tar archive that lies in the next `size_b` bytes of a file, packed as its name says: .tar, .tar.gz, .tar.xz.

    `read` raises NotPlainTar where it is damaged.
    """

    def __init__(self, name: str, file: Reader, size_b: int) -> None:
        """Raises NotPlainTar for a name that says something else."""
        how = {"tar": pieces, "gz": _gunzipped, "xz": _unxzed}.get(name.rpartition(".")[2])
        if how is None:
            raise NotPlainTar(f"{name} is packed in a way that is not known")
        self._pieces = how(file, size_b)
        self._rest = b""

    def read(self, size_b: int) -> bytes:
        """The next bytes: fewer than `size_b` at the end alone."""
        found = [self._rest]
        had_b = len(self._rest)
        while had_b < size_b and (piece := next(self._pieces, None)) is not None:
            found.append(piece)
            had_b += len(piece)
        data = b"".join(found)
        self._rest = data[size_b:]
        return data[:size_b]


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
