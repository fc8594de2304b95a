"""Weekly hours as people write them: "Mon-Fri 07:00-17:00", "22:00-06:00", "Sat,Sun". Pure."""
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN, WEEK_MIN = 1440, 10_080
FORMS = '"Mon-Fri 07:00-17:00", "22:00-06:00" (every day, over midnight) or "Sat,Sun" (all day)'
HOURS = re.compile(r"(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of every week."""

    start_min: int          # since Monday 0:00
    length_min: int


def parse_hours(text: str) -> tuple[Stretch, ...]:
    """The stretches of one line; hours that end before they begin go on into the next day. Raises ValueError."""
    words = text.strip().lower()
    if not words:
        raise ValueError(f"takes {FORMS}")
    hours = HOURS.search(words)
    days = _days(words[:hours.start()] if hours else words)
    if hours is None:
        return tuple(Stretch(day * DAY_MIN, DAY_MIN) for day in days)
    start_min, end_min = _minute(hours[1], hours[2]), _minute(hours[3], hours[4])
    if words[hours.end():] or start_min in (end_min, DAY_MIN):
        raise ValueError(f"takes {FORMS}")
    length_min = end_min - start_min if end_min > start_min else end_min + DAY_MIN - start_min
    return tuple(Stretch(day * DAY_MIN + start_min, length_min) for day in days)


def _minute(hour: str, minute: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > DAY_MIN:
        raise ValueError(f"{hour}:{minute} is no time of day; it takes 00:00 to 24:00")
    return value


def _days(text: str) -> list[int]:
    """The days named by "mon-fri" or "sat,sun"; all of them when none is named."""
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
        raise ValueError(f'"{name}" is no day; days are Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in {FORMS}')
    return DAYS.index(name)


def all_hours(lines: Iterable[str]) -> tuple[Stretch, ...]:
    """The stretches of several lines. Raises ValueError."""
    return tuple(stretch for line in lines for stretch in parse_hours(line))


def ends_in_min(stretches: Sequence[Stretch], week_min: int) -> int | None:
    """In how many minutes the stretch that `week_min` lies in is over; None outside of all, 0 if it never is.

    Stretches that touch or overlap are one.
    """
    left_min = 0
    while left_min < WEEK_MIN:
        at_min = (week_min + left_min) % WEEK_MIN
        longest_min = max((each.length_min - (at_min - each.start_min) % WEEK_MIN for each in stretches), default=0)
        if longest_min <= 0:
            return left_min or None
        left_min += longest_min
    return 0
