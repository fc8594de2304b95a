"""What is wrong with the card, by the error that it answered with."""
import errno
import os
from pathlib import Path

from agent.store.database import StoreError
from agent.store.folders import VolumeMissing

FULL = (errno.ENOSPC, errno.EDQUOT)


def fault_of(error: Exception, folder: Path) -> str:
    """The condition behind an error of the card that holds `folder`, or of the database on it."""
    if isinstance(error, VolumeMissing):
        return "card_missing"
    if isinstance(error, StoreError) and isinstance(error.__cause__, Exception):
        error = error.__cause__         # its own text names remedies, and so every fault
    number, text = getattr(error, "errno", None), str(error)
    if number in FULL or "is full" in text:
        return "inodes_low" if _told_by(folder) == "inodes_low" else "card_full"
    if number == errno.EROFS or "readonly" in text or "read-only" in text:
        return "card_read_only"
    # SQLite does not say why it can't make a file of its own.
    return _told_by(folder) or "card_io" if "unable to open" in text else "card_io"


def _told_by(folder: Path) -> str | None:
    """What the file system itself says: out of inodes, it calls itself full, however much of it is free."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if found.f_flag & os.ST_RDONLY:
        return "card_read_only"
    if found.f_files and not found.f_favail:
        return "inodes_low"
    return None if found.f_bavail else "card_full"
