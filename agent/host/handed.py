"""Takes over sockets that systemd opened (sd_listen_fds(3)). systemd's own library would be one more package."""
import os
import socket

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
