"""Whether a database may be written. After a failed write it may not, until a copy on other blocks has replaced it.

ext4 leaves a newly allocated block whose write failed marked as unwritten. This block can then be written and flushed
again without an error, and reads as zeros after the next boot: what was committed there is lost. A new file has other
blocks (agent/keeper/renewal.py makes it).

Linux reports a failed write once to each descriptor that was open then, at its next flush (errseq_t), so every process
with the database open learns of it. A process that opens it later would not. So a process that has met the error keeps
a lock on the folder, at the inode number of the failed file. The lock need not be removed: the new file has another
number.
"""
import contextlib
import fcntl
import os
import sqlite3
import struct
from pathlib import Path

FAILED_WRITE = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
                sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_CLOSE)
_FLOCK = struct.Struct("hhqqi4x")       # struct flock of fcntl(2) on 64-bit Linux: type, whence, start, length, pid
WRITERS_BYTE = 120      # of the log's index: sqlite.org/walformat.html#wal_locks
_locks: dict[tuple[int, int], int] = {}     # descriptors that hold a lock, by device and number of the failed file

Inode = tuple[int, int]                 # device and number of a file


class Distrusted(sqlite3.OperationalError):
    """A write of this database has failed: no commits until the keeper has replaced it with a fresh copy."""


def is_failed_write(error: BaseException) -> bool:
    """Whether SQLite reports that the card refused a write or a flush."""
    return getattr(error, "sqlite_errorcode", None) in FAILED_WRITE


def distrust(folder: Path, file: Inode) -> None:
    """Forbids commits to `file` in `folder` as long as this process lives. If the folder can no longer be opened, only
    the processes that met the error know."""
    if file in _locks:
        return
    try:
        handle = _opened(folder)
    except OSError:
        return
    fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, file[1], 1, 0))
    _locks[file] = handle


def is_distrusted(folder: Path, file: Inode) -> bool:
    """Whether this process, or another one that still runs, distrusts `file` in `folder`."""
    try:
        handle = _opened(folder)
    except OSError:
        return file in _locks
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, file[1], 1, 0)
        return bool(_FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK)
    finally:
        os.close(handle)


def writer(database: Path) -> int | None:
    """Returns the process that keeps others from committing; 0 if the kernel does not name it, None without one. The
    database must be open here. Its files are not opened again, because closing one would drop this process's locks."""
    asked, name = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, WRITERS_BYTE, 1, 0), os.path.realpath(f"{database}-shm")
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):      # another thread may have closed it
            if os.readlink(f"/proc/self/fd/{handle}") == name:
                kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(int(handle), fcntl.F_GETLK, asked))
                return None if kind == fcntl.F_UNLCK else max(pid, 0)
    return None


def let_go() -> None:
    """Closes the folders when this process writes no database any longer, so that the card can be unmounted."""
    while _locks:
        os.close(_locks.popitem()[1])


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
