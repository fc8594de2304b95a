"""Writes an export: the kernel copies from file to file, and a file gets its name only when it is whole and flushed."""
import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.core.media.mp4.cut import CutFilm
from agent.host.files import open_own, rename_durably, sha256
from agent.store.export.errors import ExportError
from agent.store.export.files import ClipFiles
from agent.store.export.prepare import Export
from agent.store.export.stream import head

SPARE_B = 64_000_000        # stays free: a recorder may be writing to the same card
FLUSH_EVERY_B = 16 << 20    # so that the recorder beside us never waits for more than this to reach the card
REMEDIES = {errno.EFBIG: "a FAT stick takes files of up to 4 GB: ask for a shorter time, or use another disk",
            errno.ENOSPC: "choose another disk or a shorter time",
            errno.ENOENT: "it may just have been deleted to make room: try again",
            errno.EIO: "taimat doctor looks at the card"}
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Written:
    """A film on the disk."""

    path: Path
    film: CutFilm
    size_b: int
    sha256: str         # hex, of the file as it reads back


def write(export: Export, target: Path, replace: bool = False, tell: Tell = lambda done_b: None) -> list[Written]:
    """Write the films: the first to `target`, others beside it as NAME-2, NAME-3. `tell` hears how many bytes are done.

    What was there stays unless it is to `replace`. Raises ExportError; then no file has its final name but those that
    were whole before.
    """
    paths = [target, *(target.with_stem(f"{target.stem}-{n}") for n in range(2, len(export.films) + 1))]
    _check(export, paths, replace)
    written, done_b = [], 0
    for path, film in zip(paths, export.films, strict=True):
        size_b = _write(export, film, path, partial(_tell_more, tell, done_b))
        written.append(Written(path, film, size_b, _digest(path)))
        done_b += size_b
    return written


def _tell_more(tell: Tell, before_b: int, done_b: int) -> None:
    tell(before_b + done_b)


def _check(export: Export, paths: list[Path], replace: bool) -> None:
    there = [path for path in paths if path.exists()]
    folder = paths[0].parent
    if not folder.is_dir():
        raise ExportError(f"{folder}: there is no such folder; make it or choose another place")
    if any(path.is_dir() for path in there):
        raise ExportError(f"{there[0]} is a folder; say the file's name, too, as in {there[0] / 'film.mp4'}")
    if there and not replace:
        raise ExportError(f"{there[0]} is already there; choose another name, or let it be replaced with --force")
    demand_room(folder, sum(film.size_b for film in export.films))


def demand_room(folder: Path, size_b: int) -> None:
    """See that there is room for so much, and some to spare. Raises ExportError."""
    needs_b = size_b + SPARE_B
    disk = os.statvfs(folder)
    free_b = disk.f_bavail * disk.f_frsize
    if free_b < needs_b:
        raise ExportError(f"{folder} has {free_b / 1e6:.0f} MB free, and {needs_b / 1e6:.0f} MB are needed; "
                          "choose another disk or a shorter time")


def _write(export: Export, film: CutFilm, path: Path, tell: Tell) -> int:
    """Returns the file's size. However it ends, nothing half done stays behind, unless the process is killed: then a
    `.part`, which the next export of that name replaces."""
    part = path.with_name(path.name + ".part")
    try:
        with _draft(part) as handle:
            size_b = _fill(handle, head(export, film))
            with contextlib.closing(ClipFiles(export.folders, export.clips, export.file_key)) as files:
                size_b += _copy(handle, film, files, lambda copied_b: tell(size_b + copied_b))
            os.fsync(handle)
            rename_durably(part, path)
    except BlockingIOError:
        raise ExportError(f"{path} is being written by another export right now; choose another name") from None
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "choose another place, or be another user")
        raise ExportError(f"{error.filename or path}: {error.strerror}; nothing was written; {remedy}") from error
    return size_b


@contextlib.contextmanager
def _draft(part: Path) -> Iterator[int]:
    """The file to write to, ours alone; gone again if that fails."""
    handle = open_own(part, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.ftruncate(handle, 0)
            yield handle
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    finally:
        os.close(handle)


def _fill(handle: int, data: bytes) -> int:
    with memoryview(data) as rest:
        done_b = 0
        while done_b < len(rest):
            done_b += os.write(handle, rest[done_b:])
    return done_b


def _copy(handle: int, film: CutFilm, files: ClipFiles, tell: Tell) -> int:
    """All that follows the head. Returns its bytes. Raises OSError."""
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


def _digest(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise ExportError(f"{path} was written, and can't be read back: {error.strerror}; use another disk") from error
