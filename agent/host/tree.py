"""Folders of plain files as a whole: their digest, which a maker signs, and how one takes another's place."""
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent.core.release import tree_digest
from agent.host.digest import sha256
from agent.host.files import sync_folder

AT_FDCWD, RENAME_EXCHANGE = -100, 2         # renameat2(2)
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)    # of another file system, or of one without them
BYTE_CODE = "__pycache__"       # is made on the device, and belongs to no digest


def plain_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, byte code left out. Raises OSError, also for what is neither a file nor a folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != BYTE_CODE:
                yield from plain_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise OSError(f"{entry.path} is not a plain file")


def digest(folder: Path) -> str:
    """The folder's `tree_digest`. Raises OSError."""
    return tree_digest({str(path.relative_to(folder)): sha256(path) for path in plain_files(folder)})


def link(folder: Path, target: Path) -> None:
    """Lay the same files below `target` by further names for them, or as copies where that can't be. Raises OSError.

    A name keeps what it leads to when dpkg puts another file in the place of its own.
    """
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
    """Give a folder that is written out its name, at once and for good; what had the name before is gone then.

    Raises OSError.
    """
    if target.exists():
        _exchange(draft, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
    sync_folder(target.parent)
    sync_folder(draft.parent)
    shutil.rmtree(draft, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Two names change places; nobody finds either missing in between. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
