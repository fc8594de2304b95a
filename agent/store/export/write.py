"""Writes an export: the kernel copies from file to file, and a file gets its name only when it is whole and flushed."""
import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from agent.core.evidence.encrypted import FileKey
from agent.core.media.mp4.cut import CutFilm
from agent.host.files import open_own, rename_durably, sha256, sync_folder
from agent.store.clips import Clip
from agent.store.export.files import PIECE_B, ClipFiles
from agent.store.export.prepare import Export, ExportError
from agent.store.folders import Folders

SPARE_B = 64_000_000        # stays free, because a recorder may be writing to the same card
FLUSH_EVERY_B = 16 << 20    # so that a recorder never waits longer than this takes to reach the card
REMEDIES = {errno.EFBIG: "a FAT stick takes files of up to 4 GB: ask for a shorter time, or use another disk",
            errno.ENOSPC: "choose another disk or a shorter time",
            errno.ENOENT: "it may just have been deleted to make room: try again",
            errno.EIO: "taimat doctor looks at the card"}
Tell = Callable[[int], None]
LAID_OUT = struct.Struct("<QQ")
FACTS_B = 500               # of a clip's row in memory, estimated


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    film: CutFilm
    size_b: int
    sha256: str         # hex, of the file as it reads back


def head(export: Export, film: CutFilm) -> bytes:
    """Returns the bytes before pictures and sound. They say when the film was made only if that is certain."""
    return film.head(film.begin_ms // 1000 if export.sure else 0)


def stream(export: Export, film: CutFilm) -> Iterator[bytes]:
    """Yields the film in pieces of up to `PIECE_B`: the same bytes that `write` writes. Raises OSError."""
    yield head(export, film)
    with contextlib.closing(ClipFiles(export.folders, export.clips, export.file_key)) as files:
        for run in film.runs:
            read_at, offset, end = files.reader(run.strip), run.offset, run.offset + run.size_b
            while offset < end:
                piece = read_at(offset, min(PIECE_B, end - offset))
                if not piece:
                    raise OSError(errno.EIO, "a clip can no longer be read to its end")
                yield piece
                offset += len(piece)


class FilmLayout:
    """Where the bytes of a film are: in its head, and in runs of its clips. It never changes; readers can share it."""

    def __init__(self, export: Export, film: CutFilm) -> None:
        used = list(dict.fromkeys(film.strips))
        self.clips: Sequence[Clip] = [export.clips[number] for number in used]
        self.head = head(export, film)
        numbers = {number: n for n, number in enumerate(used)}
        self._clips, self._offsets, self._begins = array("I"), array("Q"), array("Q")
        at_b, tag = len(self.head), hashlib.sha256(self.head)
        for run in film.runs:
            self._clips.append(numbers[run.strip])
            self._offsets.append(run.offset)
            self._begins.append(at_b)
            tag.update(self.clips[numbers[run.strip]].name.encode() + LAID_OUT.pack(run.offset, run.size_b))
            at_b += run.size_b
        self.size_b = at_b
        self.tag = tag.hexdigest()[:24]         # two films with the same tag have the same bytes

    @property
    def memory_b(self) -> int:
        return len(self.head) + 20 * len(self._clips) + FACTS_B * len(self.clips)

    def places(self, at_b: int, size_b: int) -> Iterator[tuple[int, int, int]]:
        """Yields where these bytes behind the head are: a clip's number, the offset there, and how many; in order."""
        end_b = min(at_b + size_b, self.size_b)
        number = bisect_right(self._begins, at_b) - 1
        while at_b < end_b:
            over_b = self._begins[number + 1] if number + 1 < len(self._begins) else self.size_b
            count_b = min(end_b, over_b) - at_b
            yield self._clips[number], self._offsets[number] + at_b - self._begins[number], count_b
            at_b += count_b
            number += 1


class FilmFile:
    """The film as a file in the clear, for one reader at a time."""

    def __init__(self, layout: FilmLayout, folders: Folders, file_key: FileKey) -> None:
        self._layout, self.size_b = layout, layout.size_b
        self._files = ClipFiles(folders, layout.clips, file_key)

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Returns bytes of it. Raises FileNotFoundError (a clip is gone), other OSErrors, LockedError, DamagedError."""
        pieces = [self._layout.head[offset:offset + size_b]]
        at_b = offset + len(pieces[0])
        for clip, place_b, count_b in self._layout.places(at_b, size_b - len(pieces[0])):
            piece = self._files.file(clip).read_at(place_b, count_b)
            if len(piece) < count_b:
                raise OSError(errno.EIO, f"{self._layout.clips[clip].name} has become shorter")
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._files.close()


def write(export: Export, target: Path, replace: bool = False, tell: Tell = lambda done_b: None) -> list[Written]:
    """Writes the films: the first to `target`, others beside it as NAME-2, NAME-3. Calls `tell` with the bytes done.
    Existing files stay unless `replace`. Raises ExportError; then only whole films have their final names."""
    paths = [target, *(target.with_stem(f"{target.stem}-{n}") for n in range(2, len(export.films) + 1))]
    _check(export, paths, replace)
    written, done_b = [], 0
    for path, film in zip(paths, export.films, strict=True):
        size_b = _write(export, film, path, partial(lambda before_b, film_b: tell(before_b + film_b), done_b))
        try:
            written.append(Written(path, film, size_b, sha256(path)))
        except OSError as error:
            raise ExportError(f"{path} was written, and can't be read back: {error.strerror}; use another disk"
                              ) from error
        done_b += size_b
    return written


def _check(export: Export, paths: list[Path], replace: bool) -> None:
    there = [path for path in paths if path.exists()]
    folder = paths[0].parent
    if not folder.is_dir():
        raise ExportError(f"{folder}: there is no such folder; make it or choose another place")
    if any(path.is_dir() for path in there):
        raise ExportError(f"{there[0]} is a folder; say the file's name, too, as in {there[0] / 'film.mp4'}")
    if there and not replace:
        raise ExportError(f"{there[0]} is already there; choose another name, or let it be replaced with --force")
    require_room(folder, sum(film.size_b for film in export.films))


def require_room(folder: Path, size_b: int) -> None:
    """Raises ExportError unless the disk has room for so many bytes and `SPARE_B` more."""
    needs_b = size_b + SPARE_B
    disk = os.statvfs(folder)
    free_b = disk.f_bavail * disk.f_frsize
    if free_b < needs_b:
        raise ExportError(f"{folder} has {free_b / 1e6:.0f} MB free, and {needs_b / 1e6:.0f} MB are needed; "
                          "choose another disk or a shorter time")


def _write(export: Export, film: CutFilm, path: Path, tell: Tell) -> int:
    """Returns the file's size. A killed process leaves a `.part`, which the next export of that name replaces."""
    part = path.with_name(path.name + ".part")
    with _explained(path), _locked(part) as handle:
        try:
            os.ftruncate(handle, 0)
            size_b = _fill(handle, head(export, film))
            with contextlib.closing(ClipFiles(export.folders, export.clips, export.file_key)) as files:
                size_b += _copy(handle, film, files, lambda copied_b: tell(size_b + copied_b))
            os.fsync(handle)
            rename_durably(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return size_b


def _fill(handle: int, data: bytes) -> int:
    with memoryview(data) as rest:
        done_b = 0
        while done_b < len(rest):
            done_b += os.write(handle, rest[done_b:])
    return done_b


def _copy(handle: int, film: CutFilm, files: ClipFiles, tell: Tell) -> int:
    copied_b = flushed_b = 0
    for run in film.runs:
        offset, end = run.offset, run.offset + run.size_b
        while offset < end:
            sent_b = files.copy(run.strip, offset, end - offset, handle)
            if not sent_b:
                raise OSError(errno.EIO, "a clip has become shorter while it was copied")
            offset += sent_b
        copied_b += run.size_b
        if copied_b - flushed_b >= FLUSH_EVERY_B:
            os.fdatasync(handle)
            flushed_b = copied_b
            tell(copied_b)
    return copied_b


@contextlib.contextmanager
def folder_draft(target: Path) -> Iterator[Path]:
    """Yields a folder to fill, which gets the name `target` at the end. Raises ExportError, also for OSErrors."""
    with _draft(target) as part:
        _remove(part)                   # left by a power cut
        part.mkdir(mode=0o750)
        yield part
        sync_folder(part)
        rename_durably(part, target)


@contextlib.contextmanager
def file_draft(target: Path) -> Iterator[BinaryIO]:
    """Yields a file to fill, as `folder_draft` does a folder."""
    with _draft(target) as part, os.fdopen(open_own(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        rename_durably(part, target)


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Yields the draft's name. A lock file keeps out another export of the same name."""
    if not target.parent.is_dir():
        raise ExportError(f"{target.parent}: there is no such folder; make it or choose another place")
    if target.exists():
        raise ExportError(f"{target} is already there; choose another name")
    part = target.with_name(target.name + ".part")
    lock = part.with_name(part.name + ".lock")
    with _explained(target), _locked(lock):
        try:
            yield part
        except BaseException:
            _remove(part)
            raise
        finally:
            lock.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise ExportError(f"{target} is being written by another export right now; choose another name") from None
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "choose another place, or be another user")
        raise ExportError(f"{error.filename or target}: {error.strerror}; nothing was written; {remedy}") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    handle = open_own(path, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)
