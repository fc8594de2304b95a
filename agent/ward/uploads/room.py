"""How much room uploads may take: all of them of the disk, and one device of them. Pure.

Room is kept for what has come. For what was only announced there is a little, for an announcement costs nothing. That
one device brings no more than its share is its own affair: what it has announced counts there in full.
"""
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

COPIES_N = 2                # an export lies there twice while it is taken out of its archive
AHEAD_B = 64_000_000        # for a device, of what it has announced and not brought


class ComingUpload(NamedTuple):
    """An upload that was announced, and goes on."""

    dev: str
    bytes: int              # of all of it
    have_b: int             # have come


def is_within_share(dev: str, wish_b: int, coming: Iterable[ComingUpload], share_b: int) -> bool:
    """Whether all that this device has announced, with one more of so many bytes, fits into one device's share."""
    return sum(each.bytes for each in coming if each.dev == dev) + wish_b <= share_b


def kept_b(coming: Iterable[ComingUpload]) -> int:
    """Bytes that must stay free for these, beside what lies there of them."""
    copies_b, ahead_b = 0, defaultdict[str, int](int)
    for each in coming:
        copies_b += (COPIES_N - 1) * each.have_b
        ahead_b[each.dev] += each.bytes - each.have_b
    return copies_b + COPIES_N * sum(min(left_b, AHEAD_B) for left_b in ahead_b.values())
