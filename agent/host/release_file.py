"""Opens a release file from an untrusted source, up to its signature. A device reads it, or a ward that orders it.

It is an ar archive in the simple form of packages of Debian: names of up to 16 letters.
"""
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from agent.core.release import BUNDLE_B, SIGNATURE, SIGNATURE_B, TOLD, TOLD_B, ReleaseRefused
from agent.host import tar
from agent.host.tar import NotPlainTar

MAGIC = b"!<arch>\n"
HEADER = re.compile(rb"([!-~]{1,16}) {0,15}(?<=.{16})[ -~]{32}(\d{1,10}) {0,9}(?<=.{58})`\n", re.DOTALL)
HEADER_B = 60


class NotAnArchive(Exception):
    """The file is not an ar archive, or it is too large; the text says what is wrong."""


class ArMember(NamedTuple):
    """One file in the archive: its name and its size in bytes."""

    name: str
    size_b: int


def ar_members(file: BinaryIO, most_b: int) -> Iterator[ArMember]:
    """Yields each file's header. The caller reads the content to its end before it asks for the next file. Raises
    NotAnArchive for damage and for more than `most_b` bytes of content."""
    if file.read(len(MAGIC)) != MAGIC:
        raise NotAnArchive("it is not an ar archive")
    total_b = 0
    while head := file.read(HEADER_B):
        known = HEADER.fullmatch(head)
        if known is None:
            raise NotAnArchive("it is damaged, or cut short")
        size_b = int(known[2])
        total_b += size_b
        if total_b > most_b:
            raise NotAnArchive(f"it is larger than {most_b >> 20} MB")
        yield ArMember(known[1].decode().removesuffix("/"), size_b)
        if size_b % 2 and file.read(1) not in (b"\n", b""):
            raise NotAnArchive("it is damaged")


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
        yield from ar_members(file, BUNDLE_B)
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
