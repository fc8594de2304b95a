"""Reads an ar archive that anybody may have made, in the simple form that Debian's packages have.

Of a header only name and size are read; names are at most 16 characters, so there are no others.
"""
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAGIC = b"!<arch>\n"
HEADER = re.compile(rb"([!-~]{1,16}) {0,15}(?<=.{16})[ -~]{32}(\d{1,10}) {0,9}(?<=.{58})`\n", re.DOTALL)
HEADER_B = 60


class NotAnArchive(Exception):
    """It is no such archive, or more than it may be; the text says what is wrong."""


class ArMember(NamedTuple):
    """A file of the archive."""

    name: str
    size_b: int


def members(file: BinaryIO, most_b: int) -> Iterator[ArMember]:
    """Each file; between two steps its content must be read to its end.

    Raises NotAnArchive, also for more than `most_b` of content.
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
