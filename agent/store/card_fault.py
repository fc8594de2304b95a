"""Which fault the card has, by the error number (errno, or SQLite's code), or whether the process is at fault."""
import errno
import os
import sqlite3
import sys
from pathlib import Path

from agent.host.probes.volume import refuses
from agent.store.distrust import Distrusted
from agent.store.folders import VolumeMissing

FULL = (errno.ENOSPC, errno.EDQUOT)
FAILING = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EREMOTEIO, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM,
           errno.ETIMEDOUT, errno.ESHUTDOWN)
OWN = "process"             # no condition of the card: see agent/process/heartbeat.py
SPENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
FILES_N = 16                # a database opens 4; other threads may have closed some since it failed
SQLITE_FAILING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
NO_ROOM = ("card_full", "inodes_low")
# Files beside an open database. SQLite does not say why it can't make or extend them.
SIDE_B, SIDE_FILES_N = 262_144, 4


def fault_of(error: BaseException, folder: Path) -> str | None:
    """Returns the condition behind an error of the card that holds `folder`, or of its database; None if it is neither.
    Returns `OWN` for the process's own errors. A file system that has stopped writing reports many different errors
    (EIO, EROFS, "disk I/O error", "unable to open"), so it is checked directly."""
    if isinstance(error, VolumeMissing):
        return "card_missing"
    if isinstance(error, Distrusted):
        return "card_io"
    # An error of our own only adds the place and the remedy.
    cause = error if isinstance(error, (OSError, sqlite3.Error)) else error.__cause__ or error
    number, code = getattr(cause, "errno", None), getattr(cause, "sqlite_errorcode", None)
    code = None if code is None else code & 0xFF        # the primary one
    if number in SPENT or code == sqlite3.SQLITE_NOMEM or (code == sqlite3.SQLITE_CANTOPEN and not _can_open_more()):
        return OWN
    if number in FULL or code == sqlite3.SQLITE_FULL:
        return lack(folder) or "card_full"
    # Only its output says why. The library is here already, if it raised this; a card that fails can load nothing.
    if "subprocess" in sys.modules and isinstance(cause, sys.modules["subprocess"].SubprocessError):
        return lack(folder)
    if number == errno.EROFS or code == sqlite3.SQLITE_READONLY:
        return "card_read_only"
    if number not in FAILING and code not in SQLITE_FAILING:
        return None
    if refuses(folder):
        return "card_read_only"
    return (lack(folder) if code in SQLITE_FAILING else None) or "card_io"


def _can_open_more() -> bool:
    """Tries it: /proc/self/fd does not list numbers that the kernel has reserved for threads that wait in accept()."""
    opened = []
    try:
        for _ in range(FILES_N):
            opened.append(os.eventfd(0))
    except OSError:
        return False
    finally:
        for number in opened:
            os.close(number)
    return True


def lack(folder: Path) -> str | None:
    """Returns what the card that holds `folder` lacks: room ("card_full") or inodes ("inodes_low"); None if neither."""
    try:
        found = os.statvfs(folder if folder.exists() else folder.parent)        # it may not be made yet
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return "inodes_low"
    if found.f_bavail * found.f_frsize < SIDE_B:
        return "card_full"
    return "inodes_low" if found.f_files and found.f_favail < SIDE_FILES_N else None
