"""A device at the end of a bad line: two network namespaces, and between them packets that are late, lost or cut off.

The kernel's own TCP speaks at both ends; between two TUN devices a process of ours hands the packets on. It needs
root and /dev/net/tun, no module of the kernel's beyond that. Namespaces and devices end with that process.

    with Wan(seed=7) as wan:
        with wan.ward():                # this thread, what it starts and what it connects, stand there
            broker = Broker(folder, host=WARD).start()
        with wan.device():
            rig.start()
        wan.become(Line(delay_s=0.15, loss=0.03, rate_bps=4e6))

    python -m tests.rigs.network.wan SEED       # the process between; ends when its standard input ends
"""
import contextlib
import ctypes
import fcntl
import functools
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.rigs.network.bad_line import Lane, Line

WARD, DEVICE = "10.213.0.1", "10.213.0.2"
ROOT = Path(__file__).parents[3]
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET_MAX_B, IPV4 = 65_536, 4


@functools.cache
def missing() -> str:
    """Why there can be no such line here, or "" if there can."""
    try:
        with Wan(0):
            return ""
    except OSError as error:
        return f"no line between two network namespaces (root, ip and /dev/net/tun are needed): {error}"


class Wan:
    """A context manager."""

    def __init__(self, seed: int) -> None:
        """`seed` says which packets get lost."""
        self._seed = seed
        self._between: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Wan":
        """Raises OSError."""
        command = [sys.executable, "-m", "tests.rigs.network.wan", str(self._seed)]
        self._between = subprocess.Popen(command, cwd=ROOT, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ready = self._between.stdout.readline()
        if not ready:
            raise OSError(self._between.communicate()[1].strip().rpartition("\n")[2])
        self._ward, self._device = (f"/proc/{self._between.pid}/fd/{number}" for number in json.loads(ready))
        return self

    def __exit__(self, *_: object) -> None:
        self._between.communicate()

    @contextlib.contextmanager
    def ward(self) -> Iterator[None]:
        """This thread stands at the ward's end meanwhile; what it starts there stays there."""
        with standing_in(self._ward):
            yield

    @contextlib.contextmanager
    def device(self) -> Iterator[None]:
        """This thread stands at the device's end meanwhile."""
        with standing_in(self._device):
            yield

    def become(self, line: Line) -> dict[str, dict[str, int]]:
        """The line is like this from now on; returns what has gone over it so far, `up` to the ward and `down`."""
        self._between.stdin.write(json.dumps(asdict(line)) + "\n")
        self._between.stdin.flush()
        return json.loads(self._between.stdout.readline())


@contextlib.contextmanager
def standing_in(namespace: str) -> Iterator[None]:
    """This thread stands in that network namespace (a file) meanwhile, and so does what it starts."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(namespace, os.O_RDONLY)
    try:
        enter(there)
        yield
    finally:
        enter(home)
        os.close(home)
        os.close(there)


def enter(namespace: int) -> None:
    """Have this thread stand there. os.setns, which came with Python 3.12. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _end_of_line(here: str, there: str) -> tuple[int, int]:
    """A new namespace with one end of the line: files of the namespace and of its device. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI))
    for words in ("link set lo up", f"address add {here} peer {there} dev wan", "link set wan up"):
        subprocess.run(["ip", *words.split()], check=True, stdout=sys.stderr)
    return os.open("/proc/self/ns/net", os.O_RDONLY), tun


def main(seed: int) -> None:
    """Hand packets on until standard input ends; each line of it is a Line."""
    (ward, ward_tun), (device, device_tun) = _end_of_line(WARD, DEVICE), _end_of_line(DEVICE, WARD)
    up, down = Lane(seed), Lane(seed + 1)
    ways = ((device_tun, up, ward_tun), (ward_tun, down, device_tun))
    print(json.dumps([ward, device]), flush=True)
    while True:
        now_s = time.monotonic()
        wait_s = min(up.wait_s(now_s), down.wait_s(now_s), 1.0)
        readable, _, _ = select.select([sys.stdin, ward_tun, device_tun], [], [], wait_s)
        if sys.stdin in readable:
            if not (said := sys.stdin.readline()):
                return
            for lane in (up, down):
                lane.become(Line(**json.loads(said)))
            print(json.dumps({"up": _told(up), "down": _told(down)}), flush=True)
        for source, lane, target in ways:
            if source in readable:
                _take(source, lane)
            for packet in lane.due(time.monotonic()):
                os.write(target, packet)


def _take(source: int, lane: Lane) -> None:
    """Put everything that waits at this end into the lane; the kernel's IPv6 has no part in it."""
    with contextlib.suppress(BlockingIOError):
        while packet := os.read(source, PACKET_MAX_B):
            if packet[0] >> 4 == IPV4:
                lane.send(packet, time.monotonic())


def _told(lane: Lane) -> dict[str, int]:
    return {"packets_n": lane.packets_n, "bytes_n": lane.bytes_n, "lost_n": lane.lost_n, "dropped_n": lane.dropped_n}


if __name__ == "__main__":
    main(int(sys.argv[1]))
