"""A page's words in Vietnamese and English: texts from i18n/, numbers and times as people write them."""
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("i18n")
LANGUAGES = ("vi", "en")
GB, MB = 1_000_000_000, 1_000_000
PURPOSE = "purpose."            # how the keys of well-known purposes begin


@dataclass(frozen=True, slots=True)
class PageWords:
    """One language; a call gives a text with its `{names}` filled in."""

    language: str
    texts: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)     # what people call each camera

    def __call__(self, key: str, **values: object) -> str:
        """The text for `key`, such as "home.events". Raises KeyError for one that does not exist."""
        return self.texts[key].format(**values)

    def label(self, camera: str) -> str:
        """What people call that camera; one that is gone has its name alone."""
        return self.labels.get(camera, camera)

    @property
    def purposes(self) -> dict[str, str]:
        """What a ward may ask pictures for, in the words that rules go by; any other word stands for itself."""
        return {key.removeprefix(PURPOSE): said for key, said in self.texts.items() if key.startswith(PURPOSE)}

    def clock(self, wall_ms: int, seconds: bool = False) -> str:
        """The time of day at the device: 10:32."""
        return f"{local(wall_ms):%H:%M:%S}" if seconds else f"{local(wall_ms):%H:%M}"

    @staticmethod
    def stamp(wall_ms: int) -> str:
        """A moment as file names have it: 20261125-103205."""
        return f"{local(wall_ms):%Y%m%d-%H%M%S}"

    def day(self, wall_ms: int, now_wall_ms: int) -> str:
        """The day as people say it: today, yesterday, Wednesday 25 November."""
        day, today = local(wall_ms).date(), local(now_wall_ms).date()
        ago_n = (today - day).days
        if ago_n in (0, 1):
            return self(("time.today", "time.yesterday")[ago_n])
        return self._date(day, with_year=day.year != today.year)

    def moment(self, wall_ms: int, now_wall_ms: int) -> str:
        """Time of day, with the day unless it is today's."""
        today = local(wall_ms).date() == local(now_wall_ms).date()
        return self.clock(wall_ms) if today else f"{self.clock(wall_ms)}, {self.day(wall_ms, now_wall_ms)}"

    def span(self, ms: int) -> str:
        """A duration in the two largest units that matter; less than a second counts as one."""
        seconds = max(round(ms / 1000), 1)
        if seconds < 60:
            return self("time.s", s=seconds)
        minutes, seconds = divmod(seconds, 60)
        if minutes < 60:
            return self("time.min_s", min=minutes, s=seconds) if seconds else self("time.min", min=minutes)
        hours, minutes = divmod(minutes, 60)
        if hours < 24:
            return self("time.h_min", h=hours, min=minutes) if minutes else self("time.h", h=hours)
        days, hours = divmod(hours, 24)
        return self("time.d_h", d=days, h=hours) if hours else self("time.d", d=days)

    @staticmethod
    def length(ms: int) -> str:
        """A duration as players show it: 0:09, 1:02:03."""
        minutes, seconds = divmod(max(round(ms / 1000), 1), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def size(self, b: int) -> str:
        """Bytes as "1.4 GB" or "38 MB", as cards are sold (10^9)."""
        return self.number(b / GB, 1 if b < 10 * GB else 0) + " GB" if b >= GB else f"{max(round(b / MB), 1)} MB"

    def number(self, value: float, digits: int = 0) -> str:
        """A number with the language's decimal mark."""
        return f"{value:.{digits}f}".replace(".", self("time.decimal"))

    def number_of(self, text: str) -> str:
        """A number that is a text already, such as "0.1", with the language's decimal mark."""
        return text.replace(".", self("time.decimal"))

    def _date(self, day: date, with_year: bool) -> str:
        return self("time.date_year" if with_year else "time.date", weekday=self(f"time.weekday.{day.isoweekday()}"),
                    day=day.day, month=self(f"time.month.{day.month}"), year=day.year)


def local(wall_ms: int) -> datetime:
    """A moment in the device's time zone, which may be set while we run."""
    time.tzset()
    return datetime.fromtimestamp(wall_ms / 1000).astimezone()


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of a nested table of texts."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def load(language: str, folder: Path, labels: Mapping[str, str] | None = None) -> PageWords:
    """The words of one of LANGUAGES: a page's own in `folder` and everybody's, with what people call each camera."""
    tables = [tomllib.loads((each / f"{language}.toml").read_text(encoding="utf-8")) for each in (FOLDER, folder)]
    return PageWords(language, dict(pair for table in tables for pair in flatten(table)), labels or {})
