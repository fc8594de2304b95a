"""A card with exFAT, as one that was bought for a dash cam has it: no second names, no journal, no owners (root)."""
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_B = 32 << 20


def missing() -> str:
    """What keeps us from having one here, and the remedy; "" if nothing does."""
    if os.geteuid():
        return "mounting a disk of one's own needs root: run it with sudo"
    if not shutil.which("mkfs.exfat") or not shutil.which("mount.exfat-fuse"):
        return "no exFAT: apt install exfat-fuse exfatprogs"
    return "" if Path("/dev/fuse").exists() and Path("/dev/loop-control").exists() else "no /dev/fuse or loop devices"


@contextlib.contextmanager
def card(folder: Path) -> Iterator[Path]:
    """Where it is mounted, below `folder`."""
    image, mount = folder / "exfat", folder / "dashcam"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_B)
    _run("mkfs.exfat", image)
    device = _run("losetup", "--find", "--show", image).strip()
    try:
        _run("mount.exfat-fuse", device, mount)
        try:
            yield mount
        finally:
            _run("umount", mount)
    finally:
        _run("losetup", "--detach", device)


def _run(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
