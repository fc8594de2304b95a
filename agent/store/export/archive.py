"""Files as a tar or zip archive, in pieces, without a disk. The libraries are imported when an archive is made."""
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

BLOCK_B = 512           # of tar


class Item(NamedTuple):
    """A file of the archive."""

    name: str
    size_b: int
    pieces: Iterable[bytes]     # of that size in total


def tar(folder: str, items: Iterable[Item], made_s: int) -> Iterator[bytes]:
    """Yields the tar archive of these items in the folder `folder`, made at `made_s` (Unix time)."""
    import tarfile

    for item in items:
        head = tarfile.TarInfo(f"{folder}/{item.name}")
        head.size, head.mtime, head.mode = item.size_b, made_s, 0o644
        yield head.tobuf(tarfile.GNU_FORMAT)      # one block, also for a film beyond 8 GiB: agent/host/tar.py
        yield from item.pieces
        yield bytes(-item.size_b % BLOCK_B)
    yield bytes(2 * BLOCK_B)


def zipped(folder: str, items: Iterable[Item], made_s: int) -> Iterator[bytes]:
    """Yields a zip archive, which any computer opens. It is not compressed, because films already are."""
    import zipfile

    sink, made = _Sink(), datetime.fromtimestamp(made_s)
    with zipfile.ZipFile(sink, "w") as archive:
        for item in items:
            head = zipfile.ZipInfo(f"{folder}/{item.name}", made.timetuple()[:6])
            head.external_attr = 0o644 << 16
            with archive.open(head, "w", force_zip64=item.size_b >= zipfile.ZIP64_LIMIT) as file:
                for piece in item.pieces:
                    file.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Sink:
    """Holds what was written until it is taken. zipfile notices that it cannot seek."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        ...

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
