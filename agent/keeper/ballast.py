"""The ballast: bytes that are only there to be deleted first, because a full database can't delete anything."""
import os

from agent.host.files import is_own, open_own
from agent.store.folders import Folders
from agent.store.retention_queries import Space

BALLAST_B = 8_000_000


def release(folders: Folders) -> bool:
    """Give the ballast's space to a database that is too full to delete anything. Returns whether there was one."""
    try:
        folders.ballast.unlink()
    except OSError:             # there is none, or somebody has put something else in its place
        return False
    return True


def renew(folders: Folders, floor_pct: float) -> None:
    """Lay the ballast down again while there is room for it. Raises OSError."""
    space = Space.of(folders)
    if is_own(folders.ballast) or space.free_b < space.total_b * floor_pct / 100 / 2 + BALLAST_B:
        return
    handle = open_own(folders.ballast, os.O_WRONLY | os.O_CREAT)
    try:
        os.posix_fallocate(handle, 0, min(BALLAST_B, space.total_b // 20))
        # A page that is really there: the health probes read it to see whether the card answers.
        os.pwrite(handle, bytes(4096), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
