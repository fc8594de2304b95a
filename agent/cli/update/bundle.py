"""Opens a bundle that anybody may have made: nothing in it is believed before its maker's signature holds.

A bundle is a plain tar archive: `release.json`, `release.sig`, then the wheels. Read here is the archive's simplest
form alone, block by block: no extension of the format can name a file elsewhere, or grow in memory.
"""
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from agent.core.evidence.ledger.seals import Verifies
from agent.core.release import BUNDLE_B, SIGNATURE, SIGNATURE_B, TOLD, TOLD_B, Release, ReleaseRefused, believed

BLOCK_B = 512
CHUNK_B = 1 << 20


def bad(text: str) -> ReleaseRefused:
    """A bundle that was damaged on its way, or made wrong."""
    return ReleaseRefused("bad_bundle", f"{text}: fetch the bundle again, or ask its maker")


def unpack(file: BinaryIO, key: bytes, verifies: Verifies, into: Path, accept: Callable[[Release], None]) -> Release:
    """The release, whose wheels are in `into` then, each with the digest that the maker signed.

    `accept` may refuse it before they are written. Raises Refused and OSError.
    """
    members = _members(file)
    told = _small(file, members, TOLD, TOLD_B)
    release = believed(told, _small(file, members, SIGNATURE, SIGNATURE_B), key, verifies)
    accept(release)
    missing = dict(release.files)
    for name, size_b in members:
        digest = missing.pop(name, None)
        if digest is None:
            raise bad(f"{name} is not one of its files, or is there twice")
        if _copy(file, size_b, into / name) != digest:
            raise bad(f"{name} is not what its maker signed")
    if missing:
        raise bad(f"{', '.join(sorted(missing))} is missing")
    return release


def _small(file: BinaryIO, members: Iterator[tuple[str, int]], name: str, largest_b: int) -> bytes:
    """The next file, which must be this one. Raises Refused."""
    found, size_b = next(members, ("", 0))
    if found != name or size_b > largest_b:
        raise bad(f"{name} is not where it must be")
    return _exactly(file, size_b)


def _members(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Name and size of each file; between two steps its content must be read to its end. Raises Refused."""
    total_b = 0
    while any(block := _exactly(file, BLOCK_B)):
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            raise bad("it is no tar archive, or damaged") from None
        total_b += info.size
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise bad(f"{info.name} is no plain file")
        if total_b > BUNDLE_B:
            raise bad(f"it is larger than {BUNDLE_B >> 20} MB")
        yield info.name, info.size
        _exactly(file, -info.size % BLOCK_B)


def _copy(file: BinaryIO, size_b: int, target: Path) -> str:
    """Write the next bytes to a new file; returns their SHA-256, hex. Raises Refused and OSError."""
    digest, left_b = hashlib.sha256(), size_b
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as out:
        while left_b:
            chunk = _exactly(file, min(left_b, CHUNK_B))
            digest.update(chunk)
            out.write(chunk)
            left_b -= len(chunk)
    return digest.hexdigest()


def _exactly(file: BinaryIO, size_b: int) -> bytes:
    """Raises Refused where the file ends before."""
    data = file.read(size_b)
    if len(data) != size_b:
        raise bad("it is cut short")
    return data
