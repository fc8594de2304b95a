"""Opens a bundle that anybody may have made: nothing in it is believed before its maker's signature holds.

A bundle is a plain tar archive: `release.json`, `release.sig`, then the wheels.
"""
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from agent.core.evidence.ledger.seals import Verifies
from agent.core.key_slots import KeySlots
from agent.core.release import (
    BUNDLE_B,
    SIGNATURE_B,
    TOLD_B,
    ReleaseRefused,
    believed,
)
from agent.core.release import WHEELS_SIGNATURE as SIGNATURE
from agent.core.release import WHEELS_TOLD as TOLD
from agent.core.release import WheelRelease as Release
from agent.host import tar
from agent.host.tar import NotPlainTar, TarMember


def bad(text: str) -> ReleaseRefused:
    """A bundle that was damaged on its way, or made wrong."""
    return ReleaseRefused("bad_bundle", f"{text}: fetch the bundle again, or ask its maker")


Accept = Callable[[Release, KeySlots], None]


def unpack(file: BinaryIO, slots: KeySlots, verifies: Verifies, into: Path, accept: Accept) -> Release:
    """The release, whose wheels are in `into` then, each with the digest that the maker signed.

    `accept` gets it with the keys that hold from then on, and may refuse it before the wheels are written.
    Raises ReleaseRefused and OSError.
    """
    try:
        return _unpack(file, slots, verifies, into, accept)
    except NotPlainTar as error:
        raise bad(str(error)) from error


def _unpack(file: BinaryIO, slots: KeySlots, verifies: Verifies, into: Path, accept: Accept) -> Release:
    members = tar.members(file, BUNDLE_B)
    told = _small(file, members, TOLD, TOLD_B)
    release, changed = believed(told, _small(file, members, SIGNATURE, SIGNATURE_B), slots, verifies)
    accept(release, changed)
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


def _small(file: BinaryIO, members: Iterator[TarMember], name: str, largest_b: int) -> bytes:
    """The next file, which must be this one. Raises ReleaseRefused and NotPlainTar."""
    found, size_b = next(members, ("", 0))
    if found != name or size_b > largest_b:
        raise bad(f"{name} is not where it must be")
    return tar.exactly(file, size_b)


def _copy(file: BinaryIO, size_b: int, target: Path) -> str:
    """Write the next bytes to a new file; returns their SHA-256, hex. Raises NotPlainTar and OSError."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as out:
        for piece in tar.pieces(file, size_b):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()
