"""Which trouble the card has, by the number or the text of the error that it answered with."""
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
    if is_full(error):
        return "inodes_low" if _told_by(folder) == "inodes_low" else "card_full"
    number, text = _number_and_text(error)
    if number == errno.EROFS or "readonly" in text or "read-only" in text:
        return "card_read_only"
    # SQLite does not say why it can't make a file of its own.
    return _told_by(folder) or "card_io" if "unable to open" in text else "card_io"


def is_full(error: Exception) -> bool:
    """Whether the card, or the database on it, has no room left; it may lack inodes alone."""
    number, text = _number_and_text(error)
    return number in FULL or "is full" in text          # SQLite gives no number of the system's, only its own text


def _number_and_text(error: Exception) -> tuple[int | None, str]:
    if isinstance(error, StoreError) and isinstance(error.__cause__, Exception):
        error = error.__cause__         # a StoreError's own text names remedies, and so every fault
    return getattr(error, "errno", None), str(error)


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
