"""Files that survive a power cut: written, flushed, renamed, and their folder flushed too.

Without the folder's flush half of the "finished" files of a cut are missing (docs/design/storage.md).
"""
import errno
import fcntl
import logging
import os
import stat
from pathlib import Path

_log = logging.getLogger(__name__)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as durable as the files they point to. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_durably(source: Path, target: Path) -> None:
    """Give a file that is already flushed its final name, for good. Raises OSError."""
    os.rename(source, target)
    sync_folder(target.parent)


def write_once(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Write a file that nobody knows of before this returns, with half the flushes of `write_durably`. Raises OSError.

    The flush makes its name durable, too, as file systems with a journal do it; a cut before it may leave it torn.
    """
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    with memoryview(data) as rest:
        done = 0
        while done < len(rest):
            done += os.write(handle, rest[done:])


def write_durably(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Write `data` so that `target` holds the old or the new content whole, whenever the power goes. Raises OSError."""
    part = target.with_name(target.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    rename_durably(part, target)


class AlreadyRunning(Exception):
    """Another process holds the lock; the text says which."""


class Lock:
    """A role's exclusive claim on a store, released by the kernel when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock or raise AlreadyRunning; OSError when the file can't be made or opened.

        A file that another user laid there claims nothing, and neither is it touched: we go on without a lock. On a
        card that has become read-only the old file is locked as it is: somebody must be up to say so.
        """
        self._handle: int | None = None
        writable = True
        try:
            handle = _open_lock(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            writable, handle = False, _open_lock(path, os.O_RDONLY)
        if handle is None:
            _log.error("%s is not ours, so nothing keeps a second process of this role away: remove it", path)
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "?"
            os.close(handle)
            raise AlreadyRunning(f"process {holder} already works on {path.parent} as {path.stem}; "
                                 f"stop it first (systemctl stop 'taimat-*', or its terminal)") from None
        if writable:
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        self._handle = handle

    def release(self) -> None:
        """Give the claim up before the process ends."""
        if self._handle is not None:
            os.close(self._handle)


def _open_lock(path: Path, flags: int) -> int | None:
    """The lock's file, which no other role may open: who could would hold the lock for ever. None where it is a link
    or another user's. Raises OSError."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO) and os.path.lexists(path):
            return None
        raise
    seen = os.fstat(handle)
    if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1 and seen.st_uid in (os.geteuid(), path.parent.stat().st_uid):
        return handle
    os.close(handle)
    return None
