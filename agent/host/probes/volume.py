"""Checks that a folder lies on its own volume, and whether its file system takes writes.

A disk that is not mounted leaves an empty folder behind.
"""
import contextlib
import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from agent.host.probes import kernel

ABORTED = {"emergency_ro", "shutdown"}          # newer kernels report these for ext4; older ones only count its errors
LABELS = ("E:ID_FS_LABEL=", "E:ID_FS_UUID=")     # in systemd-udevd's database, plain or escaped


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo (proc(5))."""

    point: str
    device: str             # "major:minor"
    read_only: bool
    aborted: bool           # the kernel has stopped writing because of errors


def mounts(root: Path) -> list[Mount]:
    """Returns all mounts that this process sees, in the order in which they were made."""
    return [mount for line in (kernel.text(root / "proc/self/mountinfo") or "").splitlines() if (mount := _mount(line))]


def holding(all_mounts: list[Mount], folder: PurePath) -> Mount | None:
    """Returns the mount that holds `folder`: the deepest, and the latest if several are on one point."""
    path = f"{folder}/"         # text, because making a `PurePath` of each mount is slow
    above = [mount for mount in all_mounts if path.startswith(f"{mount.point.rstrip('/')}/")]
    return max(reversed(above), key=lambda mount: len(mount.point), default=None)


def expects_volume(fstab: str, folder: PurePath) -> bool:
    """Whether fstab mounts a volume of its own at or above `folder`. Ignores binds and btrfs (its subvolumes share a
    device), because by device they look like the root file system."""
    for line in fstab.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[0].startswith("#") or fields[2] == "btrfs":
            continue
        point, options = PurePath(_unescape(fields[1])), set(fields[3].split(","))
        if point != PurePath("/") and folder.is_relative_to(point) and not options & {"bind", "noauto"}:
            return True
    return False


def _mount(line: str) -> Mount | None:
    fields, _, tail = line.partition(" - ")
    words, source = fields.split(), tail.split()
    if len(words) < 6 or len(source) < 3:
        return None
    options = {*words[5].split(","), *source[2].split(",")}
    aborted = bool(options & ABORTED)
    return Mount(_unescape(words[4]), words[2], aborted or "ro" in options, aborted)


def _unescape(word: str) -> str:
    """Blanks and such are written as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word) if "\\" in word else word


@dataclass(frozen=True, slots=True)
class Volume:
    """Where `folder` belongs: on the file system with this label or UUID; if `name` is empty, where fstab mounts it.
    `root` is where the kernel's and the system's own files are read."""

    folder: Path
    name: str = ""
    root: Path = Path("/")

    def astray(self) -> str:
        """Returns what is wrong, with the remedy; "" if nothing is, or if it cannot be known."""
        folder = Path(os.path.realpath(self.folder))
        seen = mounts(self.root)
        here, base = holding(seen, folder), holding(seen, Path("/"))
        if here is None or base is None:
            return ""
        if here.device == base.device:
            return self._missing(folder)
        names = self._names(here.device)
        if self.name and names and self.name not in names:
            return (f"the volume mounted at {here.point} is {' or '.join(sorted(names))}, not {self.name}: it is left "
                    "alone; plug in the right one, or name this one under [store] volume")
        return ""

    def _missing(self, folder: Path) -> str:
        if not self.name and not expects_volume(kernel.text(self.root / "etc/fstab") or "", folder):
            return ""
        return (f"the volume {self.name or 'of /etc/fstab'} for {folder} is not mounted, and nothing is recorded onto "
                "the system's own card: plug it in and mount it")

    def _names(self, device: str) -> set[str]:
        """Label and UUID of the file system on a block device, as udev noted them; empty if udev does not run."""
        lines = (kernel.text(self.root / f"run/udev/data/b{device}") or "").splitlines()
        return {line.partition("=")[2] for line in lines if line.startswith(LABELS)}


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
        return kernel.number(root / "sys/fs/ext4" / block / "errors_count") or 0
    return 0


@dataclass(slots=True)
class Abort:
    """Whether a file system must be mounted again to be written. `root` is where the kernel's files are read."""

    folder: Path
    root: Path = Path("/")
    _harmless_n: int = 0            # error count after which writing still worked

    def seen(self) -> bool:
        """Whether the kernel says so, or has lost the device, or has noted a new error and writes are refused. On a
        read-only mount, in our sandbox or for all, a refusal proves nothing."""
        mount = holding(mounts(self.root), Path(os.path.realpath(self.folder)))
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
