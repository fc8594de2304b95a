"""A stand-in for the agent that shows how the units treat a role: it reports READY and feeds the watchdog.

It has a socket file in its role's folder, where other roles' words arrive and are dropped. Its order is the word in
/etc/taimat/orders/NAME, looked at ten times a second: "hang" stops feeding the watchdog, "misconfigured" exits with 78.
NAME is the role, or the camera's name, or "network".
"""
import contextlib
import os
import shutil
import socket
import sys
import time
from pathlib import Path


def notify(state: str) -> None:
    """Send one state to systemd, sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), os.environ["NOTIFY_SOCKET"])


def order(name: str) -> str:
    """What the test asks of this process; "" when nothing."""
    try:
        return Path("/etc/taimat/orders", name).read_text()
    except FileNotFoundError:
        return ""


def mailbox(role: str, name: str) -> socket.socket:
    """The socket file that other roles send to."""
    path = Path(f"/run/taimat/{role}/{name}.sock")
    path.unlink(missing_ok=True)
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    box.bind(str(path))
    path.chmod(0o660)
    return box


def main(role: str, name: str) -> None:
    """Live as a role does until told to stop."""
    box = mailbox(role, name)
    box.setblocking(False)
    notify("READY=1")
    while True:
        wish = order(name)
        if wish == "misconfigured":
            sys.exit(78)
        if wish != "hang":
            notify("WATCHDOG=1")
        with contextlib.suppress(BlockingIOError):
            box.recv(1024)
        time.sleep(0.1)


def lay(agent: Path) -> Path:
    """Make the folder of an agent whose roles are this; returns it."""
    for role in ("capture", "keeper", "link", "web"):
        (agent / role).mkdir(parents=True)
        (agent / role / "__main__.py").write_text(
            f"import sys\nfrom agent import main\nmain({role!r}, [{role!r}, *sys.argv[1:]][-1].removeprefix('--'))\n")
    (agent / "cli/update").mkdir(parents=True)
    (agent / "cli/update/launcher.py").write_text("#!/bin/true\n")
    shutil.copy(__file__, agent / "__init__.py")
    return agent
