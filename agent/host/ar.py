"""Reads ar archives from untrusted sources, in the simple form of Debian's packages: names of up to 16 letters."""
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAGIC = b"!<arch>\n"
HEADER = re.compile(rb"([!-~]{1,16}) {0,15}(?<=.{16})[ -~]{32}(\d{1,10}) {0,9}(?<=.{58})`\n", re.DOTALL)
HEADER_B = 60


class NotAnArchive(Exception):
    """The file is not an ar archive, or it is too large; the text says what is wrong."""


class ArMember(NamedTuple):
    """One file in the archive: its name and its size in bytes."""

    name: str
    size_b: int


def members(file: BinaryIO, most_b: int) -> Iterator[ArMember]:
    """Yields each file's header. The caller reads the content to its end before it asks for the next file.

    Raises NotAnArchive for damage and for more than `most_b` bytes of content.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise NotAnArchive("it is no ar archive")
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
