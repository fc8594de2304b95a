"""What can be told of a file system by its folder: whether it takes anything at all, and what the kernel has noted."""
import contextlib
import errno
import os
from pathlib import Path

from agent.host.probes import files, volume


def refuses(folder: Path) -> bool:
    """Whether it is read-only, whatever its mount says: a file without a name is made, and is gone at once.

    After an abort ext4 answers so, and is still mounted "rw". An error of another kind is no such answer.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return True
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def errors_noted(folder: Path, root: Path = Path("/")) -> int | None:
    """How many errors ext4 has noted in the file system of `folder` since it was last checked; None: nobody knows."""
    block = _block(folder, root)
    return files.number(root / "sys/fs/ext4" / block / "errors_count") if block else None


def is_aborted(folder: Path, root: Path = Path("/"), noted_n: int = 0) -> bool:
    """Whether the kernel says that it has given up writing, or has noted more errors than `noted_n`."""
    mount = volume.holding(volume.mounts(root), Path(os.path.realpath(folder)))
    return (mount is not None and mount.aborted) or (errors_noted(folder, root) or 0) > noted_n


def _block(folder: Path, root: Path) -> str | None:
    """The block device that the folder lies on, by the name that the kernel gives it."""
    with contextlib.suppress(OSError):
        number = os.stat(folder).st_dev
        return (root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    return None
