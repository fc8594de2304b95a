"""Which trouble the card has, by the number of the error that it answered with: errno, or SQLite's own code.

An error may be this process's own, which has too many files open or too little memory: a new start mends that.
"""
import errno
import os
import resource
import sqlite3
import subprocess
from pathlib import Path

from agent.host.probes.volume import refuses
from agent.store.distrust import Distrusted
from agent.store.folders import VolumeMissing

FULL = (errno.ENOSPC, errno.EDQUOT)
FAILING = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EREMOTEIO, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM,
           errno.ETIMEDOUT, errno.ESHUTDOWN)
OWN = "process"             # no condition of the card's: see agent/process/heartbeat.py
SPENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
FILES_N = 4                 # that a database opens
SQLITE_FAILING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
NO_ROOM = ("card_full", "inodes_low")
# What a database has beside it while it is open. SQLite does not say why it can't make that, or make it longer.
SIDE_B, SIDE_FILES_N = 262_144, 4


def fault_of(error: BaseException, folder: Path) -> str | None:
    """The condition behind an error of the card that holds `folder`, or of the database on it; None: of neither.

    `OWN` where the card has nothing to do with it.

    A file system that has given up writing answers in many ways (EIO, EROFS, "disk I/O error", "unable to open"), so it
    is asked itself.
    """
    if isinstance(error, VolumeMissing):
        return "card_missing"
    if isinstance(error, Distrusted):
        return "card_io"
    cause = _cause(error)
    number, code = getattr(cause, "errno", None), _sqlite_code(cause)
    if number in SPENT or code == sqlite3.SQLITE_NOMEM or (code == sqlite3.SQLITE_CANTOPEN and not _can_open_more()):
        return OWN
    if number in FULL or code == sqlite3.SQLITE_FULL:
        return lack(folder) or "card_full"
    if isinstance(cause, subprocess.SubprocessError):       # it has said why, but not to us
        return lack(folder)
    if number == errno.EROFS or code == sqlite3.SQLITE_READONLY:
        return "card_read_only"
    if number not in FAILING and code not in SQLITE_FAILING:
        return None
    if refuses(folder):
        return "card_read_only"
    return (lack(folder) if code in SQLITE_FAILING else None) or "card_io"


def _cause(error: BaseException) -> BaseException:
    """What was met: an error of our own only adds the place and the remedy."""
    of_card = isinstance(error, (OSError, sqlite3.Error))
    return error if of_card or error.__cause__ is None else error.__cause__


def _sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code; None for an error that is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _can_open_more() -> bool:
    """Whether this process may open as many files as a database needs."""
    try:
        return len(os.listdir("/proc/self/fd")) + FILES_N <= resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except OSError as error:
        return error.errno not in SPENT


def lack(folder: Path) -> str | None:
    """What the card that holds `folder` lacks, by its own word: out of inodes it is full, however much is free."""
    try:
        found = os.statvfs(folder if folder.exists() else folder.parent)        # where it is about to be made
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return "inodes_low"
    if found.f_bavail * found.f_frsize < SIDE_B:
        return "card_full"
    return "inodes_low" if found.f_files and found.f_favail < SIDE_FILES_N else None
