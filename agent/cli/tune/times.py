"""What a moment of the replay is called: the time of day where the clips have one, else the time in a file."""
from bisect import bisect_right
from datetime import datetime
from typing import Protocol

from agent.footage.reel import Played

NAME_MAX = 13               # letters of a file's name in a plot


class Times(Protocol):
    """Names the moments of a replay, in few letters for a plot, in full for a table."""

    def reading_s(self, at_s: float) -> float:
        """The seconds that the clock shows then."""

    def spell(self, at_s: float) -> str:
        """The moment in few letters."""

    def full(self, at_s: float) -> str:
        """The moment with its date, or with its file."""


class FileTimes:
    """Seconds since each file's begin."""

    def __init__(self, played: list[Played]) -> None:
        self._played, self._begins_s = played, [each.began_s for each in played]

    def _at(self, at_s: float) -> Played:
        return self._played[max(0, bisect_right(self._begins_s, at_s) - 1)]

    def reading_s(self, at_s: float) -> float:
        """Seconds in the file."""
        return at_s - self._at(at_s).began_s

    def spell(self, at_s: float) -> str:
        """ "1:05"; where one of several files begins, its name."""
        into_s = self.reading_s(at_s)
        if len(self._played) > 1 and into_s == 0:
            return self._at(at_s).take.path.stem[:NAME_MAX]
        return f"{int(into_s) // 60}:{int(into_s) % 60:02d}"

    def full(self, at_s: float) -> str:
        """ "clip.mp4 1:05.2"."""
        into_s = self.reading_s(at_s)
        return f"{self._at(at_s).take.path.name} {int(into_s) // 60}:{into_s % 60:04.1f}"


class WallTimes:
    """The time of day, in the machine's own zone."""

    def __init__(self, wall_s: float) -> None:
        """`wall_s` is Unix time at the replay's second 0."""
        self._wall_s = wall_s
        self._day = self._local(0).date()

    def _local(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(self._wall_s + at_s)

    def reading_s(self, at_s: float) -> float:
        """Seconds since midnight."""
        local = self._local(at_s)
        return local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6

    def spell(self, at_s: float) -> str:
        """ "14:03:27"; with the date on a later day than the first."""
        local = self._local(at_s + 0.0005)
        return local.strftime("%H:%M:%S" if local.date() == self._day else "%m-%d %H:%M")

    def full(self, at_s: float) -> str:
        """ "2026-11-25 14:03:27"."""
        return self._local(at_s).strftime("%Y-%m-%d %H:%M:%S")
