"""Which trouble the card has, by the number of the error that it answered with: errno, or SQLite's own code."""
import errno
import os
import sqlite3
from pathlib import Path

from agent.host.probes.file_system import refuses
from agent.store.folders import VolumeMissing

FULL = (errno.ENOSPC, errno.EDQUOT)
FAILING = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EREMOTEIO, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM,
           errno.ETIMEDOUT, errno.ESHUTDOWN)
SQLITE_FAILING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def is_full(error: BaseException) -> bool:
    """Whether the card takes no more: it has no room for bytes, or for another file."""
    cause = _cause(error)
    return getattr(cause, "errno", None) in FULL or _sqlite_code(cause) == sqlite3.SQLITE_FULL


def fault_of(error: BaseException, folder: Path) -> str | None:
    """The condition behind an error of the card that holds `folder`, or of the database on it; None: of neither.

    A file system that has given up writing answers in many ways (EIO, EROFS, "disk I/O error", "unable to open"), so it
    is asked itself.
    """
    if isinstance(error, VolumeMissing):
        return "card_missing"
    cause = _cause(error)
    number, code = getattr(cause, "errno", None), _sqlite_code(cause)
    if is_full(cause):
        return "inodes_low" if _told_by(folder) == "inodes_low" else "card_full"
    if number == errno.EROFS or code == sqlite3.SQLITE_READONLY:
        return "card_read_only"
    if number not in FAILING and code not in SQLITE_FAILING:
        return None
    if refuses(folder):
        return "card_read_only"
    # SQLite does not say why it can't make a file of its own.
    return _told_by(folder) or "card_io" if code == sqlite3.SQLITE_CANTOPEN else "card_io"


def _cause(error: BaseException) -> BaseException:
    """What was met: an error of our own only adds the place and the remedy."""
    of_card = isinstance(error, (OSError, sqlite3.Error))
    return error if of_card or error.__cause__ is None else error.__cause__


def _sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code; None for an error that is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _told_by(folder: Path) -> str | None:
    """What the file system itself says: out of inodes, it calls itself full, however much of it is free."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return "inodes_low"
    return None if found.f_bavail else "card_full"
