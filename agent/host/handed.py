"""Listening sockets that systemd has opened and hands over at the start: sd_listen_fds(3), in Python alone.

systemd's own library would be one more package for twenty lines.
"""
import os
import socket

FIRST_FD = 3


def handed_sockets() -> dict[str, socket.socket]:
    """Each by the name that its unit gives it (FileDescriptorName=); none where nothing was handed to this process.

    Only the first call finds them, and no process that is started from here inherits them.
    """
    told = {name: os.environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES")}
    if told["PID"] != str(os.getpid()) or not told["FDS"].isdecimal():
        return {}
    found = {}
    for fd, name in enumerate(told["FDNAMES"].split(":")[:int(told["FDS"])], FIRST_FD):
        os.set_inheritable(fd, False)
        found[name] = socket.socket(fileno=fd)
    return found
