"""Uploads that are not whole yet, each a file of the bytes that have come: its size is how far it has come.

A piece is checked before it is written, and written in order, so whatever a kill leaves of it is a part of the upload.
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
        """Make the folders; what was being checked when we were killed is checked anew."""
        self.folder, self._coming = folder, folder / COMING
        for name in (COMING, CHECKING, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in (folder / CHECKING).iterdir():
            remove(left)
        sync_folder(folder)

    def path(self, request_id: str) -> Path:
        """Where an upload lies while it comes."""
        return self._coming / request_id

    def begin(self, request_id: str) -> None:
        """An empty file; what has come already stays as it is, and goes on from now."""
        os.close(os.open(self.path(request_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, OWN_ONLY))
        os.utime(self.path(request_id))
        sync_folder(self._coming)

    def size_b(self, request_id: str) -> int | None:
        """How far it has come; None where it was never begun."""
        try:
            return self.path(request_id).stat().st_size
        except FileNotFoundError:
            return None

    def touched_s(self, request_id: str) -> float:
        """When something of it came last, or its device began anew: Unix time; 0 where it was never begun."""
        try:
            return self.path(request_id).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def append(self, request_id: str, data: bytes) -> int:
        """Add to it, for good; returns how far it has come then."""
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
        """It is not wanted any more."""
        self.path(request_id).unlink(missing_ok=True)

    def keep_aside(self, request_id: str) -> Path:
        """It is not what it should be: put it where somebody can look at it; returns where."""
        target = self.folder / REFUSED / request_id
        os.replace(self.path(request_id), target)
        os.utime(target)
        sync_folder(target.parent)
        return target

    def forget_aside(self, request_id: str) -> None:
        """Delete what was put aside, if it is there still; the reason beside it stays."""
        (self.folder / REFUSED / request_id).unlink(missing_ok=True)

    def tidy_aside(self, before_s: float) -> None:
        """Delete what was put aside before this moment (Unix time)."""
        for path in (self.folder / REFUSED).iterdir():
            if path.stat().st_mtime < before_s:
                remove(path)

    def free_b(self) -> int:
        """What is free on its disk."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def names(self) -> list[str]:
        """All of which something has come."""
        return sorted(path.name for path in self._coming.iterdir())


def remove(place: Path) -> None:
    """Delete a folder, or a file, even one that was made read-only."""
    if not place.is_dir() or place.is_symlink():
        place.unlink(missing_ok=True)
        return
    for folder in (place, *(each for each in place.rglob("*") if each.is_dir() and not each.is_symlink())):
        folder.chmod(0o700)
    shutil.rmtree(place)
