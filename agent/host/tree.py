"""Handles folders of plain files as a whole: their digest, which a maker signs, and replacing one by another."""
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent.core.release import tree_digest
from agent.host.files import sha256, sync_folder

AT_FDCWD, RENAME_EXCHANGE = -100, 2         # renameat2(2)
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)    # another file system, or one without hard links
BYTE_CODE = "__pycache__"       # made on the device, and not part of a digest


def plain_files(folder: Path) -> Iterator[Path]:
    """Yields every file below `folder`, except byte code. Raises OSError, also for anything but files and folders."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != BYTE_CODE:
                yield from plain_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise OSError(f"{entry.path} is not a plain file")


def digest(folder: Path) -> str:
    """Returns the folder's `tree_digest`. Raises OSError."""
    return tree_digest({str(path.relative_to(folder)): sha256(path) for path in plain_files(folder)})


def link(folder: Path, target: Path) -> None:
    """Hard-links the files below `target`, or copies them; a link survives dpkg's replacing. Raises OSError."""
    for path in plain_files(folder):
        into = target / path.relative_to(folder)
        into.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, into)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            shutil.copy2(path, into)


def put(draft: Path, target: Path) -> None:
    """Renames a written folder to `target` durably and atomically; deletes the folder of that name. Raises OSError."""
    if target.exists():
        _exchange(draft, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
    sync_folder(target.parent)
    sync_folder(draft.parent)
    shutil.rmtree(draft, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Swaps two names, so that neither is missing in between. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
