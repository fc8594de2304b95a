"""A film of keyframes only: each is shown until the next one, so times stay correct. Without sound.

It is small, and each picture can be decoded by itself: for fast play, and for pictures that follow a finger.
"""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from agent.core.media.mp4.cut.choose import FOREVER, SAME_US, Hearing, Strip, StripPart, first_picture, first_shown_by
from agent.core.media.mp4.cut.film import CutFilm, films_of
from agent.core.media.mp4.read import Fragment, Sample, fragment_at, fragments, references, samples

SILENT = Hearing(0, 0, 0)


@dataclass(frozen=True, slots=True)
class KeyPart(StripPart):
    """The chosen keyframes of a strip. `lasts` has the duration of each, by its fragment's offset."""

    lasts: Mapping[int, int]

    def pictures(self, fragment: Fragment, count: int) -> list[Sample]:
        """Returns the keyframe. Raises Mp4Error if the file has changed."""
        key = next(samples(self.strip.read_at, self.strip.head, fragment))
        return [key._replace(duration=self.lasts[fragment.offset])]

    def heard(self, fragment: Fragment) -> list[Sample]:
        return []


def cut_keys(strips: Sequence[Strip], begin_us: int, end_us: int, step_us: int = 0) -> list[CutFilm]:
    """Returns the films of a range with only its keyframes: from the one shown at its start to the last one before its
    end.

    With `step_us`, keyframes of a clip are at least that far apart. Then the index of a finished clip is trusted,
    which saves reading the whole clip. Raises Mp4Error for too many pictures, or if a file changes during reading.
    """
    return films_of(_parts(strips, begin_us, end_us, step_us))


def _parts(strips: Sequence[Strip], begin_us: int, end_us: int, step_us: int) -> Iterator[KeyPart]:
    for number, strip in enumerate(strips):
        next_us = strips[number + 1].begin_us if number + 1 < len(strips) else FOREVER
        found = _part(number, strip, begin_us, end_us, next_us, step_us=step_us)
        if found is not None:
            yield found


def _part(number: int, strip: Strip, begin_us: int, end_us: int, next_us: int, step_us: int) -> KeyPart | None:
    begin, end, given_over = (strip.ticks(us) for us in (begin_us, end_us, next_us - SAME_US))
    step = step_us * strip.head.plan.timescale // 1_000_000
    keys, over = _keys(strip, step)
    if not keys or begin >= min(over + strip.head.plan.reorder, given_over):
        return None
    chosen = _apart(keys[first_shown_by(strip, keys, begin):], step)
    while chosen and (chosen[-1].base >= given_over or strip.shown(first_picture(strip, chosen[-1])) >= end):
        chosen.pop()
    if not chosen:
        return None
    first = first_picture(strip, chosen[0])
    delay = strip.shown(first) - first.dts
    last_end = max(chosen[-1].base + 1, min(over, strip.ticks(next_us), end - delay))
    ends = [*(key.base for key in chosen[1:]), last_end]
    lasts = {key.offset: end - key.base for key, end in zip(chosen, ends, strict=True)}
    return KeyPart(number, strip, [(key, 1) for key in chosen], first.dts, strip.shown(first), end=last_end,
                   hearing=SILENT, lasts=lasts)


def _apart(keys: Sequence[Fragment], step: int) -> list[Fragment]:
    chosen: list[Fragment] = []
    for key in keys:
        if not chosen or key.base - chosen[-1].base >= step:
            chosen.append(key)
    return chosen


def _keys(strip: Strip, step: int) -> tuple[list[Fragment], int]:
    indexed = _indexed(strip, step) if step else None
    if indexed is not None:
        return indexed
    filmed = [each for each in fragments(strip.read_at, strip.head) if each.samples_n]
    return [each for each in filmed if each.key], filmed[-1].base + filmed[-1].duration if filmed else 0


def _indexed(strip: Strip, step: int) -> tuple[list[Fragment], int] | None:
    """Does this by the clip's index, which leaves out keyframes that come too soon; None without a valid index."""
    stretches = references(strip.read_at, strip.head)
    if not stretches:
        return None
    places = list(accumulate((stretch.size_b for stretch in stretches), initial=strip.head.size_b))
    times = list(accumulate((stretch.duration for stretch in stretches), initial=0))
    found: list[Fragment] = []
    for (offset, _), (base, _), stretch in zip(pairwise(places), pairwise(times), stretches, strict=True):
        if not stretch.key or found and base - found[-1].base < step:
            continue
        fragment = fragment_at(strip.read_at, strip.head, offset)
        if fragment is None or not fragment.key or fragment.base != base:
            return None
        found.append(fragment)
    return found, times[-1]
