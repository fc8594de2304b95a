"""Notifies systemd that the process is ready, alive or stopping (sd_notify(3))."""
import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Sends lines such as "READY=1" to the supervisor that NOTIFY_SOCKET names, if any."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        s.sendto("\n".join(lines).encode(), address)
