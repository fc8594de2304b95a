"""Chooses the part of each clip for a range of time: from a keyframe to the last frame shown in the range.

All clips of a cut share one timeline, in microseconds. The caller says where each begins.
"""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.media.mp4.read import Fragment, Mp4Head, ReadAt, Sample, fragments, samples, sounds
from agent.core.media.mp4.write import SNAP

JOIN_US = 10_000            # clips with a smaller gap are continuous, because rows count in milliseconds
SAME_US = 2_000             # frames that are closer are the same
FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Strip:
    """A clip on the timeline."""

    read_at: ReadAt
    head: Mp4Head
    begin_us: int           # time of decoding of its first frame

    @property
    def shown_us(self) -> int:
        return self.line_us(self.head.plan.reorder)

    def ticks(self, line_us: int) -> int:
        """Returns ticks from the clip's first frame to that moment."""
        return round((line_us - self.begin_us) * self.head.plan.timescale / 1_000_000)

    def line_us(self, ticks: int) -> int:
        """Returns the moment of these ticks after the clip's first frame."""
        return self.begin_us + ticks * 1_000_000 // self.head.plan.timescale

    def shown(self, sample: Sample) -> int:
        """Returns when the picture is shown, in ticks since the decoding of the clip's first frame."""
        return sample.pts + self.head.plan.reorder


class Hearing(NamedTuple):
    """The chosen span of sound, in samples since the clip's first picture is shown."""

    begins_from: int
    begins_before: int
    ends_by: int

    def takes(self, sound: Sample) -> bool:
        return self.begins_from <= sound.pts < self.begins_before and sound.pts + sound.duration <= self.ends_by

    def over(self, fragment: Fragment) -> bool:
        """Whether the sound of this fragment, and of all later ones, is too late."""
        return bool(fragment.sounds_n) and fragment.sound_base >= min(self.begins_before, self.ends_by)


@dataclass(frozen=True, slots=True)
class StripPart:
    """The chosen part of a strip: whole fragments of pictures, except the last one."""

    number: int             # the strip's index
    strip: Strip
    shares: Sequence[tuple[Fragment, int]]      # each with its number of pictures
    begin: int              # decoding of the first picture, ticks since the clip's first
    first_shown: int        # display of the first picture
    end: int                # end of the last picture
    hearing: Hearing

    def pictures(self, fragment: Fragment, count: int) -> list[Sample]:
        """Returns the first `count` pictures. Raises Mp4Error if the file has changed."""
        return list(samples(self.strip.read_at, self.strip.head, fragment))[:count] if count else []

    def heard(self, fragment: Fragment) -> list[Sample]:
        """Returns the chosen sound. Raises Mp4Error if the file has changed."""
        if not fragment.sounds_n:
            return []
        return [sound for sound in sounds(self.strip.read_at, fragment) if self.hearing.takes(sound)]


def takes(strips: Sequence[Strip], begin_us: int, end_us: int) -> Iterator[StripPart]:
    """Yields the chosen part of each strip, in order. The next strip wins where clips overlap by their pre-roll. A
    damaged clip counts only up to the damage. Raises Mp4Error if a file changes."""
    for number, strip in enumerate(strips):
        found = _chosen(number, strip, begin_us, end_us, strips[number + 1] if number + 1 < len(strips) else None)
        if found is not None:
            yield found


def _chosen(number: int, strip: Strip, begin_us: int, end_us: int, following: Strip | None) -> StripPart | None:
    next_us = following.begin_us if following else FOREVER
    begin, end, given_over = strip.ticks(begin_us), strip.ticks(end_us), strip.ticks(next_us - SAME_US)
    whole = list(fragments(strip.read_at, strip.head))
    filmed_n = max((n for n, each in enumerate(whole, 1) if each.samples_n), default=0)
    if not filmed_n or begin >= min(_end(whole[filmed_n - 1]) + strip.head.plan.reorder, given_over):
        return None
    first_n = first_shown_by(strip, whole[:filmed_n], begin)
    last = _last(strip, whole[:filmed_n], first_n, end, given_over)
    if last is None:
        return None
    last_n, count, last_end = last
    goes_on = (following is not None and following.shown_us < end_us
               and abs(strip.line_us(last_end) - following.begin_us) <= JOIN_US)
    complete = last_n == filmed_n - 1 and count == whole[last_n].samples_n
    first = first_picture(strip, whole[first_n])
    hearing = _hearing(strip, first.pts if first_n else 0, last_end, goes_on, complete)
    shares = [(each, each.samples_n) for each in whole[first_n:last_n]] + [(whole[last_n], count)]
    for each in whole[last_n + 1:]:
        if hearing.over(each):
            break
        shares.append((each, 0))
    return StripPart(number, strip, shares, first.dts, strip.shown(first), end=last_end, hearing=hearing)


def first_picture(strip: Strip, fragment: Fragment) -> Sample:
    """Returns the first picture of the fragment. Raises Mp4Error if the file has changed."""
    return next(samples(strip.read_at, strip.head, fragment))


def _end(fragment: Fragment) -> int:
    return fragment.base + fragment.duration


def first_shown_by(strip: Strip, whole: Sequence[Fragment], begin: int) -> int:
    """Returns the fragment that begins with the last keyframe shown at or before `begin`, else the first one."""
    for number in range(len(whole) - 1, 0, -1):
        each = whole[number]
        if each.key and each.base <= begin and strip.shown(first_picture(strip, each)) <= begin:
            return number
    return 0


def _last(strip: Strip, whole: Sequence[Fragment], first_n: int, end: int,
          given_over: int) -> tuple[int, int, int] | None:
    """Returns the last picture, in decoding order, that is shown before `end`: its fragment, its number there from 1,
    and its end. None if there is no picture.

    Earlier pictures are taken, too, even if they are shown later, because others depend on them.
    """
    for number in range(len(whole) - 1, first_n - 1, -1):
        if whole[number].samples_n and whole[number].base < min(end, given_over):
            pictures = list(samples(strip.read_at, strip.head, whole[number]))
            for count in range(len(pictures), 0, -1):
                picture = pictures[count - 1]
                if strip.shown(picture) < end and picture.dts < given_over:
                    return number, count, picture.dts + picture.duration
    return None


def _hearing(strip: Strip, first_pts: int, last_end: int, goes_on: bool, complete: bool) -> Hearing:
    """Sound that outlasts the pictures would delay all later sound, so it is taken only if the film goes on. Then all
    of a clip's sound is taken, or what begins before the next clip; duplicates are found later."""
    plan = strip.head.plan
    if plan.audio is None:
        return Hearing(0, 0, 0)
    begin, end = (ticks * plan.audio.rate_hz // plan.timescale for ticks in (first_pts, last_end))
    if not goes_on:
        return Hearing(begin, FOREVER, end + SNAP)
    return Hearing(begin, FOREVER if complete else end + SNAP + 1, FOREVER)
