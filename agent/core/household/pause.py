"""When a camera is paused: by its weekly hours, which are parsed here, or by a person.

Pure: the caller passes times and pauses.

If it is unknown whether a pause is over, the pause lasts: a minute too long costs video, a minute too short costs
trust.
"""
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN, WEEK_MIN = 1440, 10_080
FORMS = '"Mon-Fri 07:00-17:00", "22:00-06:00" (every day, over midnight) or "Sat,Sun" (all day)'
HOURS = re.compile(r"(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")
TRUSTED = ("rtc", "ntp")        # states of the wall clock in which the time of day is known


@dataclass(frozen=True, slots=True)
class WeekStretch:
    start_min: int          # since Monday 0:00
    length_min: int


def parse_hours(text: str) -> tuple[WeekStretch, ...]:
    """Parses one line. Hours that end before they begin go on into the next day. Raises ValueError."""
    words = text.strip().lower()
    if not words:
        raise ValueError(f"takes {FORMS}")
    hours = HOURS.search(words)
    days = _days(words[:hours.start()] if hours else words)
    if hours is None:
        return tuple(WeekStretch(day * DAY_MIN, DAY_MIN) for day in days)
    start_min, end_min = _minute(hours[1], hours[2]), _minute(hours[3], hours[4])
    if words[hours.end():] or start_min in (end_min, DAY_MIN):
        raise ValueError(f"takes {FORMS}")
    length_min = end_min - start_min if end_min > start_min else end_min + DAY_MIN - start_min
    return tuple(WeekStretch(day * DAY_MIN + start_min, length_min) for day in days)


def _minute(hour: str, minute: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > DAY_MIN:
        raise ValueError(f"{hour}:{minute} is not a time of day; it takes 00:00 to 24:00")
    return value


def _days(text: str) -> list[int]:
    if not text.strip():
        return list(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (name.strip() for name in part.partition("-"))
        start, end = _day(first), _day(last) if dash else _day(first)
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return sorted(found)


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f'"{name}" is not a day; days are Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in {FORMS}')
    return DAYS.index(name)


def all_hours(lines: Iterable[str]) -> tuple[WeekStretch, ...]:
    """Parses several lines. Raises ValueError."""
    return tuple(stretch for line in lines for stretch in parse_hours(line))


def ends_in_min(stretches: Sequence[WeekStretch], week_min: int) -> int | None:
    """Returns the minutes until the end of the stretch around `week_min`; None outside of all, 0 if it never ends.
    Stretches that touch or overlap count as one."""
    left_min = 0
    while left_min < WEEK_MIN:
        at_min = (week_min + left_min) % WEEK_MIN
        longest_min = max((each.length_min - (at_min - each.start_min) % WEEK_MIN for each in stretches), default=0)
        if longest_min <= 0:
            return left_min or None
        left_min += longest_min
    return 0


By = Literal["page", "command", "home", "schedule", "unreadable"]


class Moment(Protocol):
    """A moment as the device stores it (host.clock.Instant)."""

    boot: str
    mono_ms: int
    wall_ms: int
    clock: str


class Pause(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A person's order that a camera sees nothing, and when it was given."""

    by: By
    boot: str = ""
    mono_ms: int = 0
    wall_ms: int = 0
    clock: str = "unset"
    until_wall_ms: int | None = None        # None: until resumed

    def lasts(self, now: Moment) -> bool:
        """Whether the pause still holds. It ends by a trustworthy clock, and lasts longer if absent.

        In the boot in which it began, that is the monotonic clock: an hour is an hour, even if the wall clock jumps.
        After a restart it is the wall clock, if that was trustworthy at the start and is so now. Otherwise the pause
        lasts for its full length from the machine's start.
        """
        if self.until_wall_ms is None:
            return True
        length_ms = self.until_wall_ms - self.wall_ms
        if now.boot == self.boot:
            return now.mono_ms - self.mono_ms < length_ms
        if self.clock in TRUSTED and now.clock in TRUSTED:
            return now.wall_ms < self.until_wall_ms
        return now.mono_ms < length_ms


class Pauses(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """All pauses. The newest order about a camera counts, so a camera may be listed as not paused (None)."""

    everything: Pause | None = None
    cameras: dict[str, Pause | None] = {}

    def of(self, camera: str, now: Moment) -> Pause | None:
        """Returns the pause of this camera while it lasts; else None."""
        word = self.cameras.get(camera, self.everything)
        return word if word is not None and word.lasts(now) else None


class PastPauses(Struct, kw_only=True, frozen=True):
    """What was paused until a change that a person made, and the moment of that change."""

    pauses: Pauses
    boot: str
    mono_ms: int
    wall_ms: int
    clock: str


UNREADABLE = Pauses(everything=Pause(by="unreadable"))


@dataclass(frozen=True, slots=True)
class Paused:
    """Why a camera is paused."""

    by: By
    until_wall_ms: int | None = None        # None: unknown


def paused(camera: str, pauses: Pauses, off: Sequence[WeekStretch], week_min: int | None, now: Moment,
           was_off: bool) -> Paused | None:
    """Returns why `camera` is paused at `now`; None if it is not.

    `off` are its weekly hours. `week_min` is the device's local time in minutes since Monday 0:00; None if its clock
    is not trustworthy. Then the hours keep the last known state, `was_off`.
    """
    if word := pauses.of(camera, now):
        return Paused(word.by, word.until_wall_ms)
    if not off:
        return None
    if week_min is None:
        return Paused("schedule") if was_off else None
    left_min = ends_in_min(off, week_min)
    if left_min is None:
        return None
    whole_min_ms = now.wall_ms // 60_000 * 60_000
    return Paused("schedule", whole_min_ms + left_min * 60_000 if left_min else None)
