"""Where the roles meet in memory: below the runtime folder, a folder for each role and one for each circle of readers.

Names are made by a folder's owner alone, so nobody can put something else in their place; its group may look.
"""
import errno
import os
import stat
from pathlib import Path

MODE = 0o750
VIDEO, KEYS = "video", "keys"       # what cameras see; keys of files


def demand_ours(runtime: Path) -> None:
    """Make the runtime folder if need be; in one that somebody else owns or may write, no role listens.

    Below /tmp anybody may have made it before. Raises OSError.
    """
    runtime.mkdir(mode=MODE, parents=True, exist_ok=True)
    seen = os.lstat(runtime)
    if os.geteuid() != 0 and (seen.st_uid not in (0, os.geteuid()) or seen.st_mode & stat.S_IWOTH):
        raise PermissionError(errno.EPERM, "belongs to another user, or all may write there", str(runtime))


def own(runtime: Path, role: str) -> Path:
    """The role's own folder, made if need be. Raises OSError."""
    return made(runtime / role)


def made(folder: Path) -> Path:
    """The folder, made if need be: on a device it is there from the boot on. Raises OSError."""
    folder.mkdir(mode=MODE, exist_ok=True)
    return folder


def inbox(runtime: Path, role: str) -> Path:
    """The socket where a role hears others."""
    return runtime / role / "inbox.sock"


def camera_socket(runtime: Path, what: str, camera: str) -> Path:
    """The socket of a camera: `what` is "live", "snap", "busy" or "looks"."""
    return runtime / VIDEO / f"{what}-{camera}.sock"
