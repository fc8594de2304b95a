"""Files that survive a power cut: written, flushed, renamed, and their folder flushed too.

Without the folder's flush half of the "finished" files of a cut are missing (docs/design/storage.md).
"""
import contextlib
import errno
import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

DRAFT = ".part"

_log = logging.getLogger(__name__)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as durable as the files they point to. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_durably(source: Path, target: Path) -> None:
    """Give a file that is already flushed its final name, for good. Raises OSError."""
    os.rename(source, target)
    sync_folder(target.parent)


def open_plain(path: Path, flags: int = os.O_RDONLY, mode: int = 0o640) -> int:
    """A descriptor of a plain file. A link in its place is not followed, and a pipe or a device not waited for.

    Raises OSError.
    """
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.ELOOP, "is not a plain file", str(path))


def open_own(path: Path, flags: int, mode: int = 0o640) -> int:
    """Likewise a file in a folder of ours, where what others have laid in its place goes. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if not _is_ours(os.lstat(path), path):
            path.unlink()
    return open_plain(path, flags, mode)


def is_plain(path: Path | str) -> bool:
    """Whether a plain file is there; a link counts for none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def is_own(path: Path) -> bool:
    """Whether a plain file is there, made by our user or by the folder's. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return _is_ours(os.lstat(path), path)
    return False


def _is_ours(seen: os.stat_result, path: Path) -> bool:
    """Whether it is a plain file without a second name, of our user or of the folder's (FAT knows no others)."""
    return (stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1
            and seen.st_uid in (os.geteuid(), path.parent.stat().st_uid))


def write_once(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Write a file that nobody knows of before this returns, with half the flushes of `write_durably`. Raises OSError.

    The flush makes its name durable, too, as file systems with a journal do it; a cut before it may leave it torn.
    """
    with contextlib.suppress(FileNotFoundError):
        target.unlink()                 # a cut's
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
    """Write `data` so that whoever looks sees the old or the new content whole, for memory alone. Raises OSError."""
    with _draft(target, mode) as handle:
        _write_all(handle, data)


def write_durably(target: Path, data: bytes, mode: int = 0o640) -> None:
    """Write `data` so that `target` holds the old or the new content whole, whenever the power goes. Raises OSError."""
    with _draft(target, mode) as handle:
        _write_all(handle, data)
        os.fsync(handle)
    sync_folder(target.parent)


def destroy(path: Path) -> None:
    """Write over a secret before its file goes, for good; one that is gone already is fine. Raises OSError.

    A card may keep the old bytes until it needs the block, and a FAT file that is only deleted can still be read.
    """
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
    """Write what a person has asked for, to a device or a pipe, too. Raises OSError."""
    if target.exists() and not target.is_file():
        target.write_bytes(data)
    else:
        write_durably(target, data, 0o666)


@contextlib.contextmanager
def _draft(target: Path, mode: int) -> Iterator[int]:
    """A new file that becomes `target`. Its name can't be foretold, so nobody has laid something in its place."""
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
    """Remove what cuts have left: nobody holds its lock."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(target.parent):
            if entry.name.startswith(f".{target.name}.") and entry.name.endswith(DRAFT):
                _drop_draft(Path(entry.path))


def _drop_draft(draft: Path) -> None:
    with contextlib.suppress(OSError):
        handle = open_plain(draft)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(draft)
        finally:
            os.close(handle)


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
    if _is_ours(os.fstat(handle), path):
        return handle
    os.close(handle)
    return None
