"""The Range header of a request for one file (RFC 9110 §14.2). Pure."""
import re
from typing import NamedTuple

ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """Bytes `first` up to, not including, `end`."""

    first: int
    end: int


class OutsideFile(Exception):
    """The range begins behind the file's end: answer 416."""


def parse(header: str | None, size_b: int) -> Span | None:
    """The part of a file of `size_b` bytes that is asked for, or None for all of it. Raises OutsideFile.

    What is malformed or asks for several parts at once counts as no range, as the RFC allows; players ask for one.
    """
    found = ONE_RANGE.fullmatch(header.strip()) if header else None
    if not found or found[1] == found[2] == "":
        return None
    if found[1] == "":                                      # the last n bytes
        first, end = max(size_b - int(found[2]), 0), size_b
    else:
        first = int(found[1])
        last = int(found[2]) if found[2] else size_b - 1
        if last < first and found[2]:
            return None                                     # "5-2" is malformed, not outside
        end = min(last + 1, size_b)
    if first >= end:
        raise OutsideFile
    return Span(first, end)
