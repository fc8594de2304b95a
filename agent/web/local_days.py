"""Days, months and hours as the device's time zone has them: a day in which the clock is changed has 23 or 25 hours."""
import time
from datetime import date, datetime, timedelta

from agent.core.household.day_lane import WallSpan
from agent.look.words import local

HOUR_MS = 3_600_000


def midnight_ms(day: date) -> int:
    """When the day begins, UTC."""
    time.tzset()
    return int(datetime(day.year, day.month, day.day).timestamp() * 1000)


def span_of(day: date) -> WallSpan:
    """The day."""
    return WallSpan(midnight_ms(day), midnight_ms(day + timedelta(days=1)))


def day_of(wall_ms: int) -> date:
    """The day in which a moment lies."""
    return local(wall_ms).date()


def hours_of(span: WallSpan) -> list[WallSpan]:
    """The hours of a day in order, as they pass: the hour that comes twice is there twice."""
    return [WallSpan(at_ms, min(at_ms + HOUR_MS, span.end_ms)) for at_ms in range(span.begin_ms, span.end_ms, HOUR_MS)]


def moment_ms(span: WallSpan, clock: str) -> int | None:
    """When the clock on the wall shows "18:30" or "18:30:05" on that day; None for what is no time of day."""
    parts = clock.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 2 for part in parts):
        return None
    hour, minute, second = (*map(int, parts), 0)[:3]
    if hour > 23 or minute > 59 or second > 59:
        return None
    day = day_of(span.begin_ms)
    found_ms = int(datetime(day.year, day.month, day.day, hour, minute, second).timestamp() * 1000)
    return min(max(found_ms, span.begin_ms), span.end_ms - 1)


def parse_day(text: str) -> date | None:
    """The day that "2026-11-28" names; None for a text that names none between 1969 and 9998."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1969 <= day.year < 9999 else None


def days_before(day: date, count_n: int) -> list[date]:
    """So many days up to that one, which is the last."""
    return [day - timedelta(days=n) for n in reversed(range(count_n))]


def month_of(day: date) -> list[date]:
    """All days of its month."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return [first + timedelta(days=n) for n in range((following - first).days)]
