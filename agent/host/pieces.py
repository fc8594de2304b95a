"""Reads pieces of any size as one file. Not in tar.py: the page writes exports, and needs no `tarfile` for it."""
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class PieceReader:
    """A file of which each piece is read when it is needed."""

    pieces: Iterator[bytes]
    _rest: bytes = b""

    def read(self, size_b: int = -1) -> bytes:
        """Returns the next bytes, fewer than asked for only at the end. Raises what the pieces raise."""
        parts, have_b = [self._rest], len(self._rest)
        while (size_b < 0 or have_b < size_b) and (piece := next(self.pieces, None)) is not None:
            parts.append(piece)
            have_b += len(piece)
        data = b"".join(parts)
        end = len(data) if size_b < 0 else size_b
        self._rest = data[end:]
        return data[:end]
