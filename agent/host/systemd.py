"""What a process and systemd tell each other, without systemd's own library.

Sockets that systemd has opened (sd_listen_fds(3)), and whether the process is ready, alive or stopping (sd_notify(3)).
"""
import contextlib
import fcntl
import os
import socket
from collections.abc import Mapping

FIRST_FD = 3


def handed_sockets() -> dict[str, socket.socket]:
    """Takes over the sockets, by their FileDescriptorName=, at the first call; empty if systemd passed none."""
    given = {name: os.environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES")}
    if given["PID"] != str(os.getpid()) or not given["FDS"].isdecimal():
        return {}
    found = {}
    for fd, name in enumerate(given["FDNAMES"].split(":")[:int(given["FDS"])], FIRST_FD):
        os.set_inheritable(fd, False)
        found[name] = socket.socket(fileno=fd)
    return found


def hand_on(sockets: Mapping[str, socket.socket]) -> None:
    """Prepares these sockets for the program that this process becomes at once; closes others in their place."""
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, FIRST_FD + len(sockets)) for each in sockets.values()]
    for fd, copy in enumerate(kept, FIRST_FD):
        os.dup2(copy, fd)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=":".join(sockets))


def notify(*lines: str) -> None:
    """Sends lines such as "READY=1" to the supervisor that NOTIFY_SOCKET names, if any."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        s.sendto("\n".join(lines).encode(), address)
