"""Unpacks untrusted archives in bounded pieces and memory. Apart from `tar`, because most readers need no lzma."""
import lzma
import zlib
from collections.abc import Iterator

from agent.host.tar import PIECE_B, NotPlainTar, Reader, pieces

MEMORY_B = 80 << 20         # xz -9 needs 65 MB to unpack; a file that needs more is hostile
GZIP = 31                   # wbits: a gzip header, zlib's largest window


class UnpackedReader:
    """Reads a .tar, .tar.gz or .tar.xz in the next `size_b` bytes of a file. `read` raises NotPlainTar."""

    def __init__(self, name: str, file: Reader, size_b: int) -> None:
        """Raises NotPlainTar for a name with another ending."""
        how = {"tar": pieces, "gz": _gunzipped, "xz": _unxzed}.get(name.rpartition(".")[2])
        if how is None:
            raise NotPlainTar(f"{name} is packed in a way that is not known")
        self._pieces = how(file, size_b)
        self._rest = b""

    def read(self, size_b: int) -> bytes:
        """Returns the next `size_b` bytes; fewer only at the end."""
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
