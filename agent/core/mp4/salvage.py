"""What is left of a recording after a power cut: where to cut the torn file off, and the head that makes it whole."""
from dataclasses import dataclass

from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.entries import SOUND_B_MAX
from agent.core.mp4.head import entries_max, head, without_sound
from agent.core.mp4.index import Index
from agent.core.mp4.read import Fragment, Head, ReadAt, fragments, read_head, samples, sounds


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
    index = Index(entries_max(start.plan))
    end_b, end, frames_n, sounds_n = start.size_b, 0, 0, 0
    for fragment in fragments(read_at, start):
        if not _has_frames(read_at, start, fragment) or not _has_sound(read_at, fragment):
            break
        end = fragment.base + fragment.duration if fragment.samples_n else end
        index.add(end - fragment.duration, fragment.duration, fragment.size_b, fragment.key)
        end_b = fragment.offset + fragment.size_b
        frames_n, sounds_n = frames_n + fragment.samples_n, sounds_n + fragment.sounds_n
    if not frames_n:
        raise Mp4Error(f"no whole fragment behind the head of {start.size_b} bytes")
    plan = start.plan if sounds_n else without_sound(start.plan)
    return Salvaged(end_b, head(plan, end, index.references()), end * 1_000_000 // plan.timescale, frames_n)


def _has_frames(read_at: ReadAt, start: Head, fragment: Fragment) -> bool:
    """Whether each picture begins with a NAL unit that fits; what the card never got reads as zeros, which don't."""
    return all(4 < 4 + int.from_bytes(read_at(sample.offset, 4), "big") <= sample.size_b
               for sample in samples(read_at, start, fragment))


def _has_sound(read_at: ReadAt, fragment: Fragment) -> bool:
    """Whether no stretch of sound is all zeros: AAC ends with ones, and to G.711 a zero is as loud as can be."""
    return all(0 < sample.size_b <= SOUND_B_MAX and any(read_at(sample.offset, sample.size_b))
               for sample in sounds(read_at, fragment))
