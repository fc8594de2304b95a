"""A Unix stream socket at which other processes of the device ask for something."""
import contextlib
import os
import socket
from pathlib import Path


def open_door(path: Path, waiting_max: int) -> socket.socket:
    """Listen on `path`, for our user and its group; what a dead process left there goes. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    door.bind(str(path))
    os.chmod(path, 0o660)
    door.listen(waiting_max)
    return door


def close_door(door: socket.socket) -> None:
    """Stop listening, and wake up the thread that waits in `accept`: closing alone does not."""
    with contextlib.suppress(OSError):
        door.shutdown(socket.SHUT_RDWR)
    door.close()
