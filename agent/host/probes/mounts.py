"""Where a folder's file system is mounted, and whether it is the one that belongs there."""
import re
from pathlib import Path, PurePath
from typing import NamedTuple

from agent.host.probes import files


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo (man 5 proc)."""

    point: PurePath
    device: str             # "major:minor"
    read_only: bool


def mounts(root: Path) -> list[Mount]:
    """All mounts that this process sees, in the order in which they were made."""
    return [mount for line in (files.text(root / "proc/self/mountinfo") or "").splitlines() if (mount := _mount(line))]


def holding(all_mounts: list[Mount], folder: PurePath) -> Mount | None:
    """The mount that `folder` lies on: the deepest one, and of several on one point the latest."""
    above = [mount for mount in all_mounts if folder.is_relative_to(mount.point)]
    return max(reversed(above), key=lambda mount: len(mount.point.parts), default=None)


def expects_volume(fstab: str, folder: PurePath) -> bool:
    """Whether fstab wants a volume of its own mounted at or above `folder`.

    Left out are binds and btrfs (its subvolumes share a device): by device they look like the root file system.
    """
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
    return Mount(PurePath(_unescape(words[4])), words[2], bool(options & {"ro", "emergency_ro", "shutdown"}))


def _unescape(word: str) -> str:
    """Blanks and such are written as backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)
