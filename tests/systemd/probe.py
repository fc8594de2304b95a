"""Run in a unit's place, with its user and sandbox: tries what the role may and may not do, prints one JSON object.

Each try is "ok" or the name of the error that the kernel gave.
"""
import errno
import json
import os
import pwd
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

STORE = Path("/var/lib/taimat")


def write(path: Path) -> None:
    """Make a file and take it away again."""
    path.write_bytes(b"x")
    path.unlink()


def share_database() -> None:
    """Add a row to a database that whichever role came first has made, group-writable as the store makes it."""
    path = STORE / "db/shared.db"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o660))
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS seen (who)")
        database.execute("INSERT INTO seen VALUES (?)", (os.getuid(),))
    database.close()


def swap(name: str) -> None:
    """Put something in the store aside, as somebody would who has another for its place; and back again."""
    (STORE / name).rename(STORE / f"{name}-aside")
    (STORE / f"{name}-aside").rename(STORE / name)


def execute_from_store() -> None:
    """Start a program that lies in the store."""
    program = STORE / f"program-{os.getuid()}"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    try:
        subprocess.run([program], check=True)
    finally:
        program.unlink()


def reach(address: str) -> None:
    """Send a datagram; only the sandbox can refuse it, for the machine has a route to everywhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (address, 9))


def listen() -> None:
    """Wait for callers on loopback, as the page does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 8088))
        sock.listen()


def beat() -> None:
    """Tell a role of another user something through its socket file: the page, or the link when this is the page."""
    peer = "link" if pwd.getpwuid(os.getuid()).pw_name == "taimat-web" else "web"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", f"/run/taimat/{peer}/{peer}.sock")


def isolated() -> None:
    """Be in a network namespace where nothing leads anywhere."""
    if len(Path("/proc/net/route").read_text().splitlines()) > 1:
        raise OSError(errno.EISCONN, "there is a way out")


TRIES: dict[str, Callable[[], object]] = {
    "store": lambda: write(STORE / f"probe-{os.getuid()}"),
    "database": share_database,
    "beat": beat,
    "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text,
    "settings": Path("/etc/taimat/taimat.toml").read_text,
    "credential": lambda: Path(os.environ.get("CREDENTIALS_DIRECTORY", "/none"), "taimat.keeper.token").read_text(),
    "settings_write": lambda: write(Path("/etc/taimat/probe")),
    "clips_list": lambda: os.listdir(STORE / "clips"),
    "clips_write": lambda: write(STORE / "clips" / f"probe-{os.getuid()}"),
    "rescue_ask": lambda: write(Path("/run/taimat-rescue/probe")),
    "key_read": (STORE / "keys" / "signing.key").read_bytes,
    "keys_swap": lambda: swap("keys"),
    "household_read": lambda: os.listdir(STORE / "household"),
    "household_write": lambda: write(STORE / "household" / "probe"),
    "household_swap": lambda: swap("household"),
    "exports_list": lambda: os.listdir(STORE / "exports"),
    "exports_write": lambda: write(STORE / "exports" / "probe"),
    "updates_write": lambda: write(STORE / "updates" / "probe"),
    "lock_swap": lambda: swap("keeper.lock"),
    "keys_ask": lambda: os.listdir("/run/taimat/keys"),
    "video": lambda: os.listdir("/run/taimat/video"),
    "video_squat": lambda: write(Path("/run/taimat/video/live-probe.sock")),
    "squat": lambda: write(Path("/run/taimat/probe")),
    "keeper_squat": lambda: write(Path("/run/taimat/keeper/probe")),
    "execute": execute_from_store,
    "device": lambda: os.close(os.open("/dev/net/tun", os.O_RDWR)),
    "mailbox": lambda: os.close(os.open("/dev/vcio", os.O_RDWR)),
    "udev": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15).close(),
    "this_machine": lambda: reach("127.0.0.1"),
    "inet": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "lan": lambda: reach("192.168.7.9"),
    "internet": lambda: reach("8.8.8.8"),
    "cameras_ask": lambda: reach("239.255.255.250"),
    "listen": listen,
    "isolated": isolated,
}


def outcome(attempt: Callable[[], object]) -> str:
    """ "ok", or the error's name."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except sqlite3.Error as error:
        return repr(error)
    return "ok"


print(json.dumps({name: outcome(attempt) for name, attempt in TRIES.items()}), flush=True)
