"""A page's words in Vietnamese and English: texts from i18n/, numbers and times as people write them."""
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.core.moment import moment

FOLDER = Path(__file__).with_name("i18n")
LANGUAGES = ("vi", "en")
GB, MB, KB = 1_000_000_000, 1_000_000, 1_000
PURPOSE = "purpose."            # prefix of the keys of well-known purposes


@dataclass(frozen=True, slots=True)
class PageWords:
    """One language; a call returns a text with its `{names}` filled in."""

    language: str
    texts: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)     # people's names for the cameras

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values)

    def label(self, camera: str) -> str:
        """Returns people's name for that camera; its plain name if the camera is gone."""
        return self.labels.get(camera, camera)

    @property
    def purposes(self) -> dict[str, str]:
        """Returns the well-known purposes of pictures and their words; any other purpose stands for itself."""
        return {key.removeprefix(PURPOSE): said for key, said in self.texts.items() if key.startswith(PURPOSE)}

    def clock(self, wall_ms: int, seconds: bool = False) -> str:
        """Returns the time of day at the device: 10:32."""
        return f"{local(wall_ms):%H:%M:%S}" if seconds else f"{local(wall_ms):%H:%M}"

    @staticmethod
    def stamp(wall_ms: int) -> str:
        """Returns a moment as in file names: 20261125-103205."""
        return f"{local(wall_ms):%Y%m%d-%H%M%S}"

    def day(self, wall_ms: int, now_wall_ms: int) -> str:
        """Returns the day as people say it: today, yesterday, Wednesday 25 November."""
        day, today = local(wall_ms).date(), local(now_wall_ms).date()
        ago_n = (today - day).days
        if ago_n in (0, 1):
            return self(("time.today", "time.yesterday")[ago_n])
        return self("time.date" if day.year == today.year else "time.date_year", day=day.day, year=day.year,
                    weekday=self(f"time.weekday.{day.isoweekday()}"), month=self(f"time.month.{day.month}"))

    def moment(self, wall_ms: int, now_wall_ms: int) -> str:
        """Returns the time of day, with the day unless it is today."""
        today = local(wall_ms).date() == local(now_wall_ms).date()
        return self.clock(wall_ms) if today else f"{self.clock(wall_ms)}, {self.day(wall_ms, now_wall_ms)}"

    def span(self, ms: int) -> str:
        """Returns a duration in the two largest useful units; less than a second counts as one."""
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
        """Returns a duration as players show it: 0:09, 1:02:03."""
        minutes, seconds = divmod(max(round(ms / 1000), 1), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def size(self, b: int) -> str:
        """Returns bytes as "1.4 GB", "38 MB" or "56 kB", as cards are sold (10^9)."""
        if b < MB:
            return f"{max(round(b / KB), 1)} kB"
        return self.number(b / GB, 1 if b < 10 * GB else 0) + " GB" if b >= GB else f"{round(b / MB)} MB"

    def number(self, value: float, digits: int = 0) -> str:
        return f"{value:.{digits}f}".replace(".", self("time.decimal"))

    def number_of(self, text: str) -> str:
        """Returns a number that is already text, such as "0.1", with the language's decimal mark."""
        return text.replace(".", self("time.decimal"))


def local(wall_ms: int) -> datetime:
    """Returns a moment in the device's time zone, which may change while the process runs."""
    time.tzset()
    return moment(wall_ms).astimezone()


def zone_of(when: datetime) -> str:
    """Returns a moment's zone, as UTC+7 or UTC-3:30."""
    ahead_min = round((when.utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(ahead_min), 60)
    return f"UTC{'-' if ahead_min < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted key, text) of a nested table of texts."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def load(language: str, folder: Path, labels: Mapping[str, str] | None = None) -> PageWords:
    """Returns the words of one of LANGUAGES: a page's own in `folder`, the shared ones, and the cameras' names."""
    tables = [tomllib.loads((place / f"{language}.toml").read_text(encoding="utf-8")) for place in (FOLDER, folder)]
    return PageWords(language, dict(pair for table in tables for pair in flatten(table)), labels or {})
