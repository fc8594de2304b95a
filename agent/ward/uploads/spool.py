"""Incomplete uploads, each a file of the received bytes: its size is the upload's offset.

A piece is checked before it is written, and pieces are written in order, so a kill leaves a part of the upload.
"""
import os
import shutil
from pathlib import Path

from agent.host.files import sync_folder

COMING, CHECKING, REFUSED = "coming", "checking", "refused"     # below the intake's folder, beside the years
OWN_ONLY = 0o640


class Spool:
    """The files below `folder`. Every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        """Makes the folders, and deletes what a killed check has left."""
        self.folder, self._coming = folder, folder / COMING
        for name in (COMING, CHECKING, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in (folder / CHECKING).iterdir():
            remove(left)
        sync_folder(folder)

    def path(self, request_id: str) -> Path:
        return self._coming / request_id

    def begin(self, request_id: str) -> None:
        """Makes an empty file; an existing one keeps its bytes, and counts as touched now."""
        os.close(os.open(self.path(request_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, OWN_ONLY))
        os.utime(self.path(request_id))
        sync_folder(self._coming)

    def size_b(self, request_id: str) -> int | None:
        """Returns the received bytes; None if the upload was never begun."""
        try:
            return self.path(request_id).stat().st_size
        except FileNotFoundError:
            return None

    def touched_s(self, request_id: str) -> float:
        """Returns when bytes came last, or the device began again: Unix time; 0 if it was never begun."""
        try:
            return self.path(request_id).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def append(self, request_id: str, data: bytes) -> int:
        """Appends and flushes; returns the received bytes."""
        handle = os.open(self.path(request_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWN_ONLY)
        try:
            with memoryview(data) as rest:
                done_b = 0
                while done_b < len(rest):
                    done_b += os.write(handle, rest[done_b:])
            os.fsync(handle)
            return os.fstat(handle).st_size
        finally:
            os.close(handle)

    def drop(self, request_id: str) -> None:
        self.path(request_id).unlink(missing_ok=True)

    def keep_aside(self, request_id: str) -> Path:
        """Moves a refused upload aside for inspection; returns its path."""
        target = self.folder / REFUSED / request_id
        os.replace(self.path(request_id), target)
        os.utime(target)
        sync_folder(target.parent)
        return target

    def forget_aside(self, request_id: str) -> None:
        """Deletes a refused upload if it is still there; the reason beside it stays."""
        (self.folder / REFUSED / request_id).unlink(missing_ok=True)

    def tidy_aside(self, before_s: float) -> None:
        """Deletes refused uploads from before this moment (Unix time)."""
        for path in (self.folder / REFUSED).iterdir():
            if path.stat().st_mtime < before_s:
                remove(path)

    def free_b(self) -> int:
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def names(self) -> list[str]:
        return sorted(path.name for path in self._coming.iterdir())


def remove(place: Path) -> None:
    """Deletes a folder or a file, even a read-only one."""
    if not place.is_dir() or place.is_symlink():
        place.unlink(missing_ok=True)
        return
    for folder in (place, *(each for each in place.rglob("*") if each.is_dir() and not each.is_symlink())):
        folder.chmod(0o700)
    shutil.rmtree(place)
