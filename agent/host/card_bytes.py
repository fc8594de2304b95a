"""Compares files with what the card stores: after a failed write the page cache still shows the new data."""
import contextlib
import errno
import fcntl
import mmap
import os
from pathlib import Path

from agent.host.files import DRAFT, open_plain, rename_durably

PIECE_B = 1 << 20
PAGE_B = mmap.PAGESIZE


def is_on_card(handle: int) -> bool:
    """Whether the card stores the bytes that readers of this file see. The caller flushes the file first.

    Only pages in the cache are compared, because all others come from the card anyway; after a boot this costs almost
    nothing. True if the file system cannot read past its cache. Raises OSError.
    """
    try:
        direct = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return True
    try:
        with mmap.mmap(-1, PIECE_B) as seen, mmap.mmap(-1, PIECE_B) as stored:
            return _same(handle, seen, direct, stored)
    finally:
        os.close(direct)


def _same(handle: int, seen: mmap.mmap, direct: int, stored: mmap.mmap) -> bool:
    at, size_b = 0, os.fstat(handle).st_size
    while at < size_b:
        if not (cached_b := _cached(handle, seen, at)):
            at += PAGE_B
            continue
        try:
            stored_b = os.preadv(direct, [stored], at)
        except OSError:                 # the card cannot read what the cache still has
            return False
        if stored_b < cached_b or seen[:cached_b] != stored[:cached_b]:
            return False
        at += cached_b
    return True


def _cached(handle: int, piece: mmap.mmap, at: int) -> int:
    """Copies the cached bytes from `at` on into `piece` and returns their number. Raises OSError."""
    try:
        return os.preadv(handle, [piece], at, os.RWF_NOWAIT)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:         # not every file system supports the question
            raise
        return os.preadv(handle, [piece], at)


def forget_cached(path: Path) -> None:
    """Drops a file's flushed pages from the cache, so that the next read comes from the card. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        handle = open_plain(path)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def moved(handle: int, path: Path) -> int:
    """Copies a file to other blocks under the same name and closes `handle`.

    Returns a locked descriptor of the new file. Raises OSError, with EIO if the card does not store the copy either;
    the file is unchanged then, and `handle` is still open.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}{DRAFT}")
    fresh = open_plain(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o660)
    try:
        fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)
        at = 0
        while piece := os.pread(handle, PIECE_B, at):
            at += os.pwrite(fresh, piece, at)
        os.fsync(fresh)
        if not is_on_card(fresh):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(draft))
        rename_durably(draft, path)
    except BaseException:
        os.close(fresh)
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    os.close(handle)
    return fresh
