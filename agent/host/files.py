"""Writes files that survive a power cut: write, flush, rename, flush the folder. Also reads files without side effects.

Without the flush of the folder, half of the finished files are missing after a cut (docs/design/storage.md).
"""
import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.core import json_door

DRAFT = ".part"
Kind = TypeVar("Kind")

_log = logging.getLogger(__name__)


def sync_folder(folder: Path) -> None:
    """Flushes the names in `folder` to the card. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_durably(source: Path, target: Path) -> None:
    """Renames a flushed file and flushes the folder. Raises OSError."""
    os.rename(source, target)
    sync_folder(target.parent)


def open_plain(path: Path, flags: int = os.O_RDONLY, mode: int = 0o640) -> int:
    """Opens a plain file and returns its descriptor; never follows a link or waits for a pipe. Raises OSError."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.ELOOP, "is not a plain file", str(path))


def read_plain(path: Path, most_b: int = -1, owner: int | None = None) -> bytes:
    """Returns at most `most_b` bytes of a plain file (-1: all). Raises OSError, also if another user owns it."""
    handle = open_plain(path)
    with open(handle, "rb") as file:
        if owner is not None and os.fstat(handle).st_uid != owner:
            raise PermissionError(errno.EPERM, "belongs to another user", str(path))
        return file.read(most_b)


def read_json(path: Path, kind: type[Kind], most_b: int = -1, owner: int | None = None) -> Kind | None:
    """Returns the value in a plain JSON file; None if it is missing or invalid, or another user's."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return json_door.read(read_plain(path, most_b, owner), kind)
    return None


def remove(path: Path) -> None:
    """Deletes a file, a link or an empty folder if possible; another folder stays."""
    with contextlib.suppress(OSError):
        path.rmdir() if stat.S_ISDIR(os.lstat(path).st_mode) else path.unlink()


def open_own(path: Path, flags: int, mode: int = 0o640) -> int:
    """As `open_plain`, in a folder of ours: first deletes a link or another user's file there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if not _is_ours(os.lstat(path), path):
            path.unlink()
    return open_plain(path, flags, mode)


def is_plain(path: Path | str) -> bool:
    """Whether a plain file is there; a link does not count. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def is_own(path: Path) -> bool:
    """Whether a plain file is there that our user or the folder's owner made. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return _is_ours(os.lstat(path), path)
    return False


def _is_ours(seen: os.stat_result, path: Path) -> bool:
    """Whether it is a plain file with one name, owned by our user or the folder's owner (FAT has no other owners)."""
    return (stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1
            and seen.st_uid in (os.geteuid(), path.parent.stat().st_uid))


def write_once(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Writes a file that only counts once this returns, with half the flushes of `write_durably`. Raises OSError. On a
    journaling file system the flush also stores the name. A power cut before it may leave a torn file."""
    with contextlib.suppress(FileNotFoundError):
        target.unlink()                 # left by a power cut
    handle = open_plain(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
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


def write_whole(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Replaces a file atomically for readers, without a flush: for files in memory. Raises OSError."""
    with _draft(target, mode) as handle:
        _write_all(handle, data)


def write_durably(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Replaces a file so that a power cut leaves either the old or the new content. Raises OSError."""
    with _draft(target, mode) as handle:
        _write_all(handle, data)
        os.fsync(handle)
    sync_folder(target.parent)


def destroy(path: Path) -> None:
    """Overwrites a secret and deletes its file. A missing file is fine. Raises OSError. A card may keep the old bytes
    until it needs the block, and a deleted FAT file can still be read."""
    try:
        handle = open_plain(path, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        _write_all(handle, os.urandom(os.fstat(handle).st_size))
        os.fsync(handle)
    finally:
        os.close(handle)
    os.unlink(path)
    sync_folder(path.parent)


def write_output(target: Path, data: bytes) -> None:
    """Writes what a person asked for, also to a device or a pipe. Raises OSError."""
    if target.exists() and not target.is_file():
        target.write_bytes(data)
    else:
        write_durably(target, data, 0o666)


@contextlib.contextmanager
def _draft(target: Path, mode: int) -> Iterator[int]:
    """Yields a new file that becomes `target`. Its random name cannot be taken by another user before."""
    _drop_drafts(target)
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}{DRAFT}")
    handle = open_plain(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
        os.rename(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    finally:
        os.close(handle)


def _drop_drafts(target: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(target.parent):
            if entry.name.startswith(f".{target.name}.") and entry.name.endswith(DRAFT):
                with contextlib.suppress(OSError), open(open_plain(Path(entry.path)), "rb") as draft:
                    fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)


class AlreadyRunning(Exception):
    """Another process holds the lock; the text names it."""


class Lock:
    """A role's exclusive lock on a store. The kernel releases it when the process ends."""

    def __init__(self, path: Path) -> None:
        """Takes the lock. Raises AlreadyRunning, or OSError if the file cannot be made or opened.

        A file of another user is left as it is; we log an error and work without a lock. On a read-only card we lock
        the old file, because a running role must report the fault.
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
            with contextlib.suppress(OSError):      # the lock also holds without the number, for example on a full card
                pid = str(os.getpid()).encode()
                os.pwrite(handle, pid, 0)
                os.ftruncate(handle, len(pid))
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


def _open_lock(path: Path, flags: int) -> int | None:
    """Opens a lock file that only its role may open; None if it is a link or another user's. Raises OSError."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO) and os.path.lexists(path):
            return None
        raise
    if _is_ours(os.fstat(handle), path):
        return handle
    os.close(handle)
    return None


CHUNK_B = 1 << 20


def sha256(path: Path) -> str:
    """Returns the file's SHA-256 in hex and drops its pages from the cache. Raises OSError."""
    digest = hashlib.sha256()
    handle = open_plain(path)
    try:
        offset = 0
        while chunk := os.read(handle, CHUNK_B):
            digest.update(chunk)
            os.posix_fadvise(handle, offset, len(chunk), os.POSIX_FADV_DONTNEED)
            offset += len(chunk)
    finally:
        os.close(handle)
    return digest.hexdigest()
