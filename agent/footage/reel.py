"""Plays files one after the other through a replay, on one time line."""
import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent.core.evidence.encrypted import DamagedError, FileKey, LockedError
from agent.core.vision.replay import FootageReplay
from agent.footage.film import Film, FootageError, Opened
from agent.host.files import open_plain
from agent.store import boots, clips
from agent.store.clips import Clip
from agent.store.encryption.clear_file import ClearStream, head_of, open_clip
from agent.store.encryption.file_keys import Keyring

APART_S = 600.0             # between unrelated files: longer than any event waits
REPORT_EVERY_N = 64          # pictures


class ReelFile(NamedTuple):
    """One file to play; without a time of its own it begins well after the one before."""

    path: Path
    began_s: float | None = None        # on the common time line
    opened: Opened | None = None        # see Film


class Played(NamedTuple):
    """A file that was played."""

    take: ReelFile
    began_s: float
    ended_s: float
    trouble: str            # "" if there was no trouble


def play(takes: Iterable[ReelFile], replay: FootageReplay,
         report: Callable[[ReelFile, float], None]) -> Iterator[Played]:
    """Plays the files in turn, also after one that cannot be played; `report` gets the seconds that each has played."""
    ended_s = -APART_S
    for take in takes:
        began_s = ended_s + APART_S if take.began_s is None else max(take.began_s, ended_s)
        ended_s, trouble = began_s, ""
        try:
            with Film(take.path, take.opened) as film:
                for number, luma in enumerate(film.lumas(replay.wants, began_s)):
                    replay.look(luma)
                    ended_s = luma.mono_s
                    if number % REPORT_EVERY_N == 0:
                        report(take, ended_s - began_s)
                trouble = film.trouble
        except FootageError as error:
            trouble = str(error)
        yield Played(take, began_s, ended_s, trouble)


def recent_clips(db: sqlite3.Connection, camera: str, since_ms: int) -> list[Clip]:
    """Returns finished clips with a known date that end after `since_ms` (Unix), oldest first."""
    dated = (clip for clip in clips.newest(db, camera) if clip.clock != "unset" or boots.offset_ms(db, clip.boot))
    return list(takewhile(lambda clip: clip.wall_ms + (clip.dur_ms or 0) > since_ms, dated))[::-1]


def takes_of(found: Sequence[Clip], keys: Keyring) -> list[ReelFile]:
    """Returns the clips (at least one) as files; second 0 is the begin of the first one."""
    paths = ((keys.folders.clip(clip.seq, clip.name), (clip.wall_ms - found[0].wall_ms) / 1000) for clip in found)
    return [ReelFile(path, began_s, partial(_opened, path, keys.file_key)) for path, began_s in paths]


def held(take: ReelFile, keys: Keyring) -> ReelFile:
    """Opens a clip and its key on behalf of a process that may open neither. Errors appear when it is read."""
    try:
        handle = open_plain(take.path)
        key = keys.file_key(head, take.path.stem) if (head := head_of(handle)) else b""
    except (LockedError, DamagedError, OSError) as error:
        return take._replace(opened=partial(_refuse, f"{take.path}: {error}"))
    return take._replace(opened=partial(_opened, take.path, lambda head, name: key, handle))


def _refuse(why: str) -> BinaryIO:
    raise FootageError(why)


def _opened(path: Path, file_key: FileKey, handle: int | None = None) -> BinaryIO:
    try:
        return io.BufferedReader(ClearStream(open_clip(path, file_key, handle)))
    except (LockedError, DamagedError) as error:
        raise FootageError(str(error)) from error
