"""Tell systemd that we are ready, alive, or going (sd_notify(3)); silent where systemd is not our parent."""
import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send lines such as "READY=1" or "WATCHDOG=1" to the supervisor named by NOTIFY_SOCKET, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        s.sendto("\n".join(lines).encode(), address)
