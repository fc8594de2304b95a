"""Saves a recording after a power cut: finds where to cut the torn file off, and makes a head that completes it."""
from dataclasses import dataclass
from itertools import pairwise

from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.head import Index, entries_max, head, without_sound
from agent.core.media.mp4.read import Fragment, Mp4Head, ReadAt, Sample, fragments, read_head, samples, sounds
from agent.core.media.mp4.traks import SOUND_B_MAX

SECTOR_B = 512          # a card writes a sector whole or not at all
CHUNK_B = 65_536        # read at a time
LENGTH_B = 4            # before each NAL unit
ZEROS_HEARD_B = 64      # in a row: more than any sound has


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Cut the file to `size_b` bytes and write `head` over its start."""

    size_b: int
    head: bytes
    duration_us: int
    frames_n: int


def salvage(read_at: ReadAt, check_from: int | None = None) -> Salvaged:
    """Finds the last whole fragment after which nothing is valid. Raises Mp4Error if there is nothing to keep.

    It looks for holes in fragments that reach beyond `check_from`; None: in none, because flushed data need not be
    read again.
    """
    start, flushed_b = read_head(read_at), float("inf") if check_from is None else check_from
    index = Index(entries_max(start.plan))
    end_b, end, frames_n, sounds_n = start.size_b, 0, 0, 0
    for fragment in fragments(read_at, start):
        if not _has_frames(read_at, start, fragment) or not _has_sound(read_at, fragment):
            break
        if fragment.offset + fragment.size_b > flushed_b and _has_holes(read_at, start, fragment):
            break
        end = fragment.base + fragment.duration if fragment.samples_n else end
        index.add(end - fragment.duration, fragment.duration, fragment.size_b, fragment.key)
        end_b = fragment.offset + fragment.size_b
        frames_n, sounds_n = frames_n + fragment.samples_n, sounds_n + fragment.sounds_n
    if not frames_n:
        raise Mp4Error(f"no whole fragment behind the head of {start.size_b} bytes")
    plan = start.plan if sounds_n else without_sound(start.plan)
    return Salvaged(end_b, head(plan, end, index.references()), end * 1_000_000 // plan.timescale, frames_n)


def _has_frames(read_at: ReadAt, start: Mp4Head, fragment: Fragment) -> bool:
    """Each picture must begin with a NAL unit that fits. What never reached the card is zeros, which don't."""
    return all(4 < 4 + int.from_bytes(read_at(sample.offset, 4), "big") <= sample.size_b
               for sample in samples(read_at, start, fragment))


def _has_sound(read_at: ReadAt, fragment: Fragment) -> bool:
    """No piece of sound may be all zeros: AAC ends with ones, and in G.711 a zero is the loudest value."""
    return all(0 < sample.size_b <= SOUND_B_MAX and any(read_at(sample.offset, sample.size_b))
               for sample in sounds(read_at, fragment))


def _has_holes(read_at: ReadAt, start: Mp4Head, fragment: Fragment) -> bool:
    """A sector that never reached the card reads as zeros, up to the end of the sector or of the sample. A picture
    never has as many zeros in a row as a length has bytes, and none at its end: NAL units avoid that."""
    return (any(_has_hole(read_at, sample, LENGTH_B) or read_at(sample.offset + sample.size_b - 1, 1) == b"\0"
                for sample in samples(read_at, start, fragment))
            or any(_has_hole(read_at, sample, ZEROS_HEARD_B) for sample in sounds(read_at, fragment)))


def _has_hole(read_at: ReadAt, sample: Sample, least_b: int) -> bool:
    at, end = sample.offset, sample.offset + sample.size_b
    while at < end:
        until = min(end, at - at % CHUNK_B + CHUNK_B)
        data = read_at(at, until - at)
        if bytes(least_b) in data:          # rare
            edges = [0, *range(-at % SECTOR_B or SECTOR_B, len(data), SECTOR_B), len(data)]
            if any(after - first >= least_b and not any(data[first:after]) for first, after in pairwise(edges)):
                return True
        at = until
    return False
