"""What is left of a recording after a power cut: where to cut the torn file off, and the head that makes it whole."""
from dataclasses import dataclass

from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.head import entries_in, head
from agent.core.mp4.index import Index
from agent.core.mp4.read import Fragment, Head, ReadAt, fragments, read_head, samples


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Cut the file to `size_b` bytes and write `head` over its beginning."""

    size_b: int
    head: bytes
    duration_us: int
    frames_n: int


def salvage(read_at: ReadAt) -> Salvaged:
    """Find the last fragment that is whole, as are all before it. Raises Mp4Error when there is nothing to keep."""
    start = read_head(read_at)
    index = Index(entries_in(start.plan.room_b))
    end_b, end, frames_n = start.size_b, 0, 0
    for fragment in fragments(read_at, start):
        if not _has_frames(read_at, start, fragment):
            break
        index.add(fragment.base, fragment.duration, fragment.size_b, fragment.key)
        end_b, end = fragment.offset + fragment.size_b, fragment.base + fragment.duration
        frames_n += fragment.samples_n
    if not frames_n:
        raise Mp4Error(f"no whole fragment behind the head of {start.size_b} bytes")
    return Salvaged(end_b, head(start.plan, end, index.references()), end * 1_000_000 // start.plan.timescale, frames_n)


def _has_frames(read_at: ReadAt, start: Head, fragment: Fragment) -> bool:
    """Whether each sample begins with a NAL unit that fits; what the card never got reads as zeros, and zeros don't."""
    return all(4 < 4 + int.from_bytes(read_at(sample.offset, 4), "big") <= sample.size_b
               for sample in samples(read_at, start, fragment))
