"""Examines the file system of a folder: whether it takes writes, and whether it has stopped taking them for good."""
import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from agent.host.probes import files, volume


def refuses(folder: Path) -> bool:
    """Whether the file system is read-only, also under an "rw" mount: creates a nameless file, which vanishes at once.

    After an abort ext4 refuses, but stays mounted "rw". Kernel 6.12 answers EIO, as a card may for a moment; then its
    error count decides.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return True
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno == errno.EROFS or (error.errno == errno.EIO and errors_noted(folder) > 0)
    return False


def errors_noted(folder: Path, root: Path = Path("/")) -> int:
    """Returns how many errors ext4 has noted in the file system of `folder` since its last check; 0 if unknown."""
    with contextlib.suppress(OSError):
        number = os.stat(folder).st_dev
        block = (root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
        return files.number(root / "sys/fs/ext4" / block / "errors_count") or 0
    return 0


@dataclass(slots=True)
class Abort:
    """Whether a file system must be mounted again to be written. `root` is where the kernel's files are read."""

    folder: Path
    root: Path = Path("/")
    _harmless_n: int = 0            # error count after which writing still worked

    def seen(self) -> bool:
        """Whether the kernel says so, or has lost the device, or has noted a new error and writes are refused.

        On a read-only mount, in our sandbox or for all, a refusal proves nothing.
        """
        mount = volume.holding(volume.mounts(self.root), Path(os.path.realpath(self.folder)))
        devices, errors_n = self.root / "sys/dev/block", errors_noted(self.folder, self.root)
        if mount is None:
            return False
        gone = not mount.device.startswith("0:") and devices.is_dir() and not (devices / mount.device).exists()
        if mount.aborted or gone:
            return True
        if mount.read_only or errors_n == self._harmless_n:
            return False
        if refuses(self.folder):
            return True
        self._harmless_n = errors_n
        return False
