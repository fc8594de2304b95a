"""How a new database takes the place of an old one, so that a power cut at any moment leaves one of the two.

The new one is whole and flushed before it gets a name beside the old one. While it waits there nobody opens the old one
(agent/store/database.py), for its log may be gone already.
"""
import contextlib
import os
from pathlib import Path

from agent.host.files import is_own, open_plain, rename_durably, sync_folder
from agent.store.database import WAITING, admit

SIDES = ("-wal", "-shm")


def let_wait(new: Path, path: Path) -> None:
    """Flush `new`, a closed database, and have it wait for the place of the one at `path`. Raises OSError."""
    handle = open_plain(new)
    try:
        admit(handle, path)
        os.fsync(handle)
    finally:
        os.close(handle)
    rename_durably(new, waiting(path))


def waiting(path: Path) -> Path:
    """Where the successor of the database at `path` waits."""
    return Path(f"{path}{WAITING}")


def take_place(path: Path, aside: Path | None = None) -> bool:
    """Put the database that waits in the place of the one at `path`, which is kept as `aside`, or goes.

    For a moment there may be none. Returns False if none waits. Raises OSError, and may be repeated then.
    """
    if not is_own(waiting(path)):
        return False
    for side in (*SIDES, ""):               # the log first: it would be taken for the new one's
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{aside}{side}") if aside else os.unlink(f"{path}{side}")
    sync_folder(path.parent)                # for file systems without a journal; they have no second names, either
    rename_durably(waiting(path), path)
    return True


def remove(path: Path) -> None:
    """Remove a database with its log, as far as it is there. Raises OSError."""
    for side in ("", *SIDES):
        Path(f"{path}{side}").unlink(missing_ok=True)
