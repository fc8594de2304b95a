"""Opens a release file from an untrusted source, up to its signature. A device reads it, or a ward that orders it."""
from collections.abc import Iterator
from typing import BinaryIO

from agent.core.release import BUNDLE_B, SIGNATURE, SIGNATURE_B, TOLD, TOLD_B, ReleaseRefused
from agent.host import ar, tar
from agent.host.ar import ArMember, NotAnArchive
from agent.host.tar import NotPlainTar

FORMAT, FORMAT_B = "debian-binary", 4


def bad(text: str) -> ReleaseRefused:
    """Returns the refusal of a file that was damaged in transit or built wrong."""
    return ReleaseRefused("bad_bundle", f"{text}: fetch the file again, or ask its maker")


def begin(file: BinaryIO) -> tuple[bytes, bytes, Iterator[ArMember]]:
    """Returns the announcement, its signature, and the members that follow. Raises ReleaseRefused."""
    members = rest(file)
    _next(file, members, FORMAT, FORMAT_B)
    return _next(file, members, TOLD, TOLD_B), _next(file, members, SIGNATURE, SIGNATURE_B), members


def rest(file: BinaryIO) -> Iterator[ArMember]:
    """Yields the members; the caller reads each to its end before the next. Raises ReleaseRefused."""
    try:
        yield from ar.members(file, BUNDLE_B)
    except NotAnArchive as error:
        raise bad(str(error)) from error


def _next(file: BinaryIO, members: Iterator[ArMember], name: str, largest_b: int) -> bytes:
    found, size_b = next(members, ("", 0))
    if found != name or size_b > largest_b:
        raise bad(f"{name} is not where it must be")
    try:
        return tar.exactly(file, size_b)
    except NotPlainTar as error:
        raise bad(str(error)) from error
