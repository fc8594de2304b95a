"""Paths where the roles meet in memory: in the runtime folder, one folder for each role and each group of readers.

Only the owner of a folder makes names in it, so no other user can replace a file; its group may read.
"""
import contextlib
import errno
import os
import stat
from pathlib import Path

from agent.host.files import write_whole

MODE = 0o750
VIDEO, KEYS = "video", "keys"       # for cameras' pictures, and for file keys


def make_ours(runtime: Path) -> None:
    """Makes the runtime folder. Raises OSError, also if it exists and another user owns it or all may write it."""
    runtime.mkdir(mode=MODE, parents=True, exist_ok=True)
    seen = os.lstat(runtime)
    if os.geteuid() != 0 and (seen.st_uid not in (0, os.geteuid()) or seen.st_mode & stat.S_IWOTH):
        raise PermissionError(errno.EPERM, "belongs to another user, or all may write there", str(runtime))


def own(runtime: Path, role: str) -> Path:
    """Returns the role's own folder, making it if it is missing. Raises OSError."""
    return made(runtime / role)


def owner(runtime: Path, role: str) -> int:
    """Returns the id of the role's user, the owner of the role's folder on a device; ours without such a folder."""
    try:
        return os.stat(runtime / role).st_uid
    except OSError:
        return os.geteuid()


def made(folder: Path) -> Path:
    """Makes the folder if it is missing; on a device it exists from boot on. Raises OSError."""
    folder.mkdir(mode=MODE, exist_ok=True)
    return folder


def inbox(runtime: Path, role: str) -> Path:
    """Returns the path of the socket where a role receives datagrams."""
    return runtime / role / "inbox.sock"


def camera_socket(runtime: Path, what: str, camera: str) -> Path:
    """Returns the path of a camera's socket: `what` is "live", "snap", "busy", "looks" or "cut"."""
    return runtime / VIDEO / f"{what}-{camera}.sock"


def tell_page_port(runtime: Path, port: int) -> None:
    """Writes the port into the page's runtime folder. Raises OSError."""
    write_whole(runtime / "web/port", str(port).encode())


def page_port(runtime: Path, otherwise: int) -> int:
    """Returns the page's port; `otherwise` if the page has not written one."""
    with contextlib.suppress(OSError, ValueError):
        return int((runtime / "web/port").read_text())
    return otherwise
