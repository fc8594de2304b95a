"""What an export will contain, before anything is written: films, clips, and the time that is missing."""
import contextlib
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from agent.core.evidence.encrypted import FileKey, LockedError
from agent.core.evidence.ledger.claim import NOT_AGREED, STILL_RECORDED
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.cut import CutFilm, Strip, cut
from agent.core.media.mp4.read import Mp4Head, read_head
from agent.core.moment import moment
from agent.store import boots
from agent.store.bound import Vouches, is_named, sift
from agent.store.clips import LOST, Clip, cameras, reaching_into, recorded_ms
from agent.store.encryption.file_keys import Keyring
from agent.store.export.files import ClipFiles
from agent.store.folders import Folders

BRIEF_MS = 1_000        # of a shorter gap both ends may read the same
GAP_US = 100_000            # shorter gaps are invisible
LONGEST_MS = 2 * 86_400_000     # longer than any clip


class ExportError(Exception):
    """The film cannot be made; the text says why, and what would help."""


class NothingRecorded(ExportError):
    """There is no footage in the time that was asked for."""


def spell(wall_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Returns a wall time in the machine's own zone as text."""
    return moment(wall_ms).strftime(form)


def spell_gap(begin_ms: int, end_ms: int) -> str:
    """Returns a missing stretch of time as text; one of less than a second by its length."""
    gap_ms = end_ms - begin_ms
    brief = f"{gap_ms / 1000:.1f} s at {spell(begin_ms)}"
    return brief if gap_ms < BRIEF_MS else f"{spell(begin_ms)} to {spell(end_ms)}"


class ExportGap(NamedTuple):
    """Time that was asked for and is missing; `why` is "" if nothing was recorded."""

    begin_ms: int
    end_ms: int
    why: str

    @property
    def is_damage(self) -> bool:
        return self.why not in ("", STILL_RECORDED, NOT_AGREED)


@dataclass(frozen=True, slots=True)
class Export:
    """What `write` will write; wall times."""

    camera: str
    films: Sequence[CutFilm]
    clips: Sequence[Clip]       # by the numbers in the films
    gaps: Sequence[ExportGap]
    sure: bool                  # whether its dates are reliable
    folders: Folders
    file_key: FileKey           # opens encrypted clips
    until_ms: int | None = None     # where the first clip begins that is still being recorded


Cutter = Callable[[Sequence[Strip], int, int], list[CutFilm]]


def prepare(db: sqlite3.Connection, folders: Folders, camera: str, begin_ms: int, end_ms: int,
            file_key: FileKey | None = None, cutter: Cutter = cut, until_ms: int | None = None,
            vouches: Vouches | None = None, only: Collection[str] | None = None) -> Export:
    """Cuts the camera's recordings between these wall times. Only reads. Raises ExportError and sqlite3.Error.

    A clip whose row is not what is bound to it is left out. Its signed row only counts if `vouches` can check
    signatures. `only` names the clips that may be taken; others are reported as missing. `file_key` opens encrypted
    clips; None: with the keys that this user may read. `cutter` says which frames are taken, usually all. From
    `until_ms` on, where a clip that is still being recorded begins, nothing is taken, and that is reported as missing.
    """
    stop_ms = end_ms if until_ms is None else until_ms
    clips = reaching_into(db, camera, begin_ms, stop_ms)
    clips = sift(db, clips, vouches).sound if vouches else list(filter(is_named, clips))
    if not clips:
        raise NothingRecorded(_nothing(db, camera, begin_ms, stop_ms))
    found = _prepare(db, folders, clips, (begin_ms, stop_ms), promised_ms=stop_ms, key=file_key, cutter=cutter,
                     only=only)
    if until_ms is None:
        return found
    return replace(found, gaps=[*found.gaps, ExportGap(until_ms, end_ms, STILL_RECORDED)], until_ms=until_ms)


def prepare_clip(db: sqlite3.Connection, folders: Folders, clip: Clip, file_key: FileKey | None = None) -> Export:
    return _prepare(db, folders, [clip], (clip.wall_ms, clip.wall_ms + LONGEST_MS),
                    promised_ms=clip.wall_ms + (clip.dur_ms or 0), key=file_key)


def _prepare(db: sqlite3.Connection, folders: Folders, found: list[Clip], span_ms: tuple[int, int], *, promised_ms: int,
             key: FileKey | None, cutter: Cutter = cut, only: Collection[str] | None = None) -> Export:
    """Footage that is not there by `promised_ms`, or not of the clips named `only`, is missing."""
    camera, (begin_ms, end_ms), file_key = found[0].camera, span_ms, key or Keyring(folders).file_key
    places = places_us(found)
    try:
        heads = _heads(folders, found, file_key, only)
        clips = [clip for clip, head in zip(found, heads, strict=True) if head]
        with contextlib.closing(ClipFiles(folders, clips, file_key)) as files:
            begins = (begin_us for begin_us, head in zip(places, heads, strict=True) if head)
            strips = [Strip(files.reader(number), head, begin_us)
                      for number, (head, begin_us) in enumerate(zip(filter(None, heads), begins, strict=True))]
            films = cutter(strips, begin_ms * 1000, end_ms * 1000)
    except (Mp4Error, LockedError) as error:
        raise ExportError(f"{camera}: {error}") from error
    except OSError as error:
        raise ExportError(f"{error.filename or folders.clips}: {error.strerror}; see taimat doctor") from error
    if not films:
        whys = {_why(clip, only) for clip in found}
        raise NothingRecorded("; ".join([_nothing(db, camera, begin_ms, end_ms), *sorted(whys)]))
    sure = all(boots.is_sure(db, clip.boot, clip.clock) for clip in clips)
    first_us = strips[films[0].strips[0]].begin_us
    gaps = _gaps(films, list(zip(found, places, strict=True)), begin_ms * 1000, first_us, end_us=promised_ms * 1000,
                 only=only)
    return Export(camera, films, clips, gaps, sure, folders=folders, file_key=file_key)


def _heads(folders: Folders, found: Sequence[Clip], file_key: FileKey,
           only: Collection[str] | None) -> list[Mp4Head | None]:
    """Returns None for a clip that cannot be played at all, or may not be taken. Raises OSError and LockedError."""
    heads: list[Mp4Head | None] = []
    with contextlib.closing(ClipFiles(folders, found, file_key)) as files:
        for number in range(len(found)):
            try:
                may_be_taken = only is None or found[number].name in only
                heads.append(read_head(files.reader(number)) if may_be_taken else None)
            except (Mp4Error, FileNotFoundError):
                heads.append(None)
    return heads


def _gaps(films: Sequence[CutFilm], spans: Sequence[tuple[Clip, int]], begin_us: int, first_us: int,
          end_us: int, only: Collection[str] | None) -> list[ExportGap]:
    """Lists the time between the stretches, before the first and after the last; a clip that should be there is named.
    At `first_us` the first frame is decoded. With B-frames it is shown later, but nothing is missing before it."""
    stretches = [stretch for film in films for stretch in film.stretches]
    ends = [begin_us, *(stretch.end_us for stretch in stretches)]
    begins = [first_us, *(stretch.begin_us for stretch in stretches[1:]), end_us]
    return [ExportGap(gap_us // 1000, until_us // 1000, _reason(spans, gap_us, until_us, only))
            for gap_us, until_us in zip(ends, begins, strict=True) if until_us - gap_us > GAP_US]


def _reason(spans: Sequence[tuple[Clip, int]], gap_us: int, until_us: int, only: Collection[str] | None) -> str:
    whys = (_why(clip, only) for clip, begin_us in spans
            if begin_us + GAP_US < until_us
            and (clip.dur_ms is None or begin_us + clip.dur_ms * 1000 - GAP_US > gap_us))
    return "; ".join(dict.fromkeys(whys))


def _why(clip: Clip, only: Collection[str] | None) -> str:
    if only is not None and clip.name not in only:
        return NOT_AGREED
    return STILL_RECORDED if clip.dur_ms is None else f"clip {clip.name} is damaged or its file is gone"


def _nothing(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int) -> str:
    known, span = cameras(db), recorded_ms(db, camera)
    if span is None:
        return f"there is no recording of a camera called {camera}; recorded here: {', '.join(known) or 'none'}"
    return (f"{camera}: nothing was recorded between {spell(begin_ms)} and {spell(end_ms)}; its recordings lie between "
            f"{spell(span[0])} and {spell(span[1])}: taimat clips list")


def places_us(clips: Sequence[Clip]) -> list[int]:
    """Returns where each clip, in recording order, begins on the line of time that they share (wall clock,
    microseconds). Within a boot the monotonic clock gives the distances. Between boots the wall clock does, but never
    back into earlier footage."""
    shifts_ms: dict[str, int] = {}
    places: list[int] = []
    end_ms = 0
    for clip in clips:
        if clip.boot == LOST or clip.boot not in shifts_ms:
            shifts_ms[clip.boot] = max(clip.wall_ms, end_ms) - clip.mono_ms
        begin_ms = shifts_ms[clip.boot] + clip.mono_ms
        places.append(begin_ms * 1000)
        end_ms = max(end_ms, begin_ms + (clip.dur_ms or 0))
    return places
