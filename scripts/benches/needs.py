"""What the benches need of the machine, and how to get it; each check returns "" or one line."""
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.rigs.cameras import rtsp
from tests.rigs.mqtt import broker
from tests.rigs.powercut import disk

PACKAGED = "/usr/bin/python3"   # a device's: Debian's own packages, and beside them the av and OpenCV that ours brings
MOTION = shutil.which("motion") or shutil.which("motion", path="/usr/sbin:/usr/local/sbin")


class Missing(Exception):
    """A bench can't run here; the text says what is missing and how to get it, a line each."""


def ffmpeg() -> str:
    """The unit of the CPU table, and the maker of all footage."""
    return "" if shutil.which("ffmpeg") else "no ffmpeg: apt install ffmpeg"


def motion() -> str:
    """The peer in the CPU table."""
    return "" if MOTION else "no motion to compare with: apt install motion"


def mosquitto() -> str:
    """The broker."""
    return "" if broker.MOSQUITTO else "no broker: apt install mosquitto"


def packaged() -> str:
    """The agent as its package installs it."""
    asked = subprocess.run([PACKAGED, "-c", "import agent.capture.main, agent.web.main"], capture_output=True,
                           cwd=Path(__file__).parents[2], check=False)
    return "" if asked.returncode == 0 else f"{PACKAGED} lacks what the agent needs: scripts/test, as root, installs it"


def ss() -> str:
    """Who tells what a connection has sent."""
    return "" if shutil.which("ss") else "nobody to count bytes on the wire: apt install iproute2"


def perf() -> str:
    """Who counts system calls."""
    return "" if shutil.which("perf") else "nobody to count system calls: apt install linux-perf"


def loop_mount() -> str:
    """A file system of our own on a loop device."""
    if os.geteuid():
        return "a card of its own is mounted from a file, which only root may: run it with sudo"
    ready = Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4")
    return "" if ready else "no loop devices (modprobe loop), or no mkfs.ext4: apt install e2fsprogs"


def logged_disk() -> str:
    """A file system on a disk that remembers every write."""
    return disk.missing()


def demand(*checks: Callable[[], str]) -> None:
    """Raises Missing with a line for each check that finds something."""
    if lines := [line for check in (*checks, ffmpeg, rtsp.missing) if (line := check())]:
        raise Missing("\n".join(lines))
