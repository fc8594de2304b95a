"""What an export will hold, before anything is written: films, clips, and the time that is missing."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.cut import Film, Strip, cut
from agent.core.mp4.read import read_head
from agent.store import boots
from agent.store.clips import Clip
from agent.store.export.errors import ExportError, spell
from agent.store.export.files import ClipFiles
from agent.store.export.find import cameras, places_us, reaching_into, span_ms
from agent.store.folders import Folders

GAP_US = 100_000            # less is no gap to anybody who watches
SURE = ("ntp", "rtc")


class Gap(NamedTuple):
    """Time that was asked for and is not there; `why` is "" where nothing was recorded."""

    begin_ms: int
    end_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Export:
    """What `write` will write."""

    camera: str
    films: Sequence[Film]
    clips: Sequence[Clip]       # by the number that a film's runs tell
    gaps: Sequence[Gap]
    sure: bool                  # whether the wall clock's times are right
    files: ClipFiles

    @property
    def size_b(self) -> int:
        """Of all films together."""
        return sum(film.size_b for film in self.films)

    def wall_ms(self, film: Film) -> tuple[int, int]:
        """When its first frame was shown, and when its last one ended."""
        return film.stretches[0].begin_us // 1000, film.stretches[-1].end_us // 1000


def prepare(db: sqlite3.Connection, folders: Folders, camera: str, begin_ms: int, end_ms: int,
            only: Clip | None = None) -> Export:
    """Cut the camera's recordings between these wall times, or the clip `only`. Reads, and writes nothing.

    Raises ExportError, and sqlite3.Error.
    """
    found = [only] if only else reaching_into(db, camera, begin_ms, end_ms)
    files = ClipFiles(folders, found)
    try:
        places = places_us(found)
        strips, clips = _strips(found, files, places)
        films = cut(strips, begin_ms * 1000, end_ms * 1000)
    except Mp4Error as error:
        raise ExportError(f"{camera}: {error}") from error
    except OSError as error:
        raise ExportError(f"{error.filename or folders.clips}: {error.strerror}; it may just have been deleted to make "
                          "room: try again, or run it as a user who may read recordings (sudo)") from error
    finally:
        files.close()
    if not films:
        raise ExportError(_nothing(db, camera, begin_ms, end_ms, found))
    gaps = _gaps(films, found, places, begin_ms * 1000, end_ms * 1000)
    sure = all(clip.clock in SURE or boots.offset_ms(db, clip.boot) is not None for clip in clips)
    return Export(camera, films, found, gaps, sure, files)


def _strips(found: Sequence[Clip], files: ClipFiles, places: Sequence[int]) -> tuple[list[Strip], list[Clip]]:
    return [], []
