"""Files that survive a power cut: written, flushed, renamed, and their folder flushed too.

Without the folder's flush half of the "finished" files of a cut are missing (docs/design/storage.md).
"""
import errno
import fcntl
import os
from pathlib import Path


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

        On a card that has become read-only the old file is locked as it is: somebody must be up to say so.
        """
        writable = True
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            writable, self._handle = False, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode(errors="replace").strip() or "?"
            os.close(self._handle)
            raise AlreadyRunning(f"process {holder} already works on {path.parent} as {path.stem}; "
                                 f"stop it first (systemctl stop 'taimat-*', or its terminal)") from None
        if writable:
            os.ftruncate(self._handle, 0)
            os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        """Give the claim up before the process ends."""
        os.close(self._handle)
