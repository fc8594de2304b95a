"""A real ext4 on a disk that remembers every write: nbdkit with plugin.py, nbdfuse, a loop device (root)."""
import contextlib
import functools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.wait import HANG_S, until

PLUGIN = Path(__file__).with_name("plugin.py")
MKFS = ("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
BUSY_S = 3.0


@functools.cache
def missing() -> str:
    """What keeps us from having such a disk here, and the remedy; "" if nothing does."""
    if os.geteuid():
        return "mounting a disk of one's own needs root: run it with sudo"
    if not shutil.which("nbdkit") or not shutil.which("nbdfuse"):
        return "no nbdkit or nbdfuse: apt install nbdkit nbdkit-plugin-python libnbd-bin fuse3"
    if _says_no("nbdkit", "python", "--dump-plugin"):
        return "nbdkit has no Python plugin: apt install nbdkit-plugin-python"
    if not Path("/dev/fuse").exists() or not Path("/dev/loop-control").exists():
        return "no /dev/fuse or no loop devices here: modprobe fuse loop"
    return "" if shutil.which("mkfs.ext4") else "no mkfs.ext4: apt install e2fsprogs"


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk, its file system mounted."""

    folder: Path
    device: str
    size_b: int

    @property
    def mount(self) -> Path:
        """Where its file system is."""
        return self.folder / "card"

    @property
    def log(self) -> Path:
        """Every write and flush so far."""
        return self.folder / "log"

    def log_b(self) -> int:
        """How long the log is now: where in it the present moment lies."""
        return self.log.stat().st_size

    def waiting_n(self) -> int:
        """Requests that it has not completed yet."""
        return int(Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()[8])

    def trouble(self, what: str = "") -> None:
        """From now on: "EIO" or "ENOSPC" (writes fail), "drop" (they are forgotten), seconds (they take longer).

        "" ends it.
        """
        part = self.folder / "trouble.part"
        part.write_text(what or "0")
        part.rename(self.folder / "trouble")

    def plug_in(self, options: str = "noatime") -> None:
        """Mount it."""
        _run("mount", "-o", options, self.device, self.mount)

    def remount(self, options: str) -> None:
        """Mount it otherwise, under whoever uses it."""
        _run("mount", "-o", f"remount,{options}", self.mount)

    def pull_out(self) -> None:
        """Take it away from under whoever uses it."""
        _run("umount", "--lazy", self.mount)

    def mend(self) -> int:
        """What a boot does with it: replay the journal, check. Returns e2fsck's exit code (0 and 1 are well)."""
        return mend(self.device)[0]


@contextlib.contextmanager
def logged_disk(folder: Path, size_b: int, *mkfs: str) -> Iterator[Disk]:
    """A fresh disk of this size below `folder`, mounted; all gone afterwards but its log. `mkfs`: more options."""
    point = folder / "fuse"
    for each in (point, folder / "card"):
        each.mkdir(parents=True)
    kit = ("nbdkit", "--exit-with-parent", "--single", "python", PLUGIN, f"image={folder / 'image'}",
           f"size={size_b}", f"log={folder / 'log'}", f"trouble={folder / 'trouble'}")
    with _process(folder, "nbdfuse", f"{point}/", "--command", *kit), contextlib.ExitStack() as stack:
        until((point / "nbd").exists, "nbdfuse shows the disk; see nbd.log beside it")
        # Past the cache, so that what is read is what the disk has.
        device = _run("losetup", "--direct-io=on", "--find", "--show", point / "nbd").strip()
        stack.callback(_quietly, "losetup", "--detach", device)
        disk = Disk(folder, device, size_b)
        _run(*MKFS, *mkfs, device)
        disk.plug_in()
        stack.callback(_gone, disk.mount)
        stack.callback(disk.trouble)
        yield disk


def mend(image: Path | str) -> tuple[int, str]:
    """Replay a file system's journal and check it as a boot does; returns e2fsck's exit code and words."""
    done = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True, timeout=HANG_S)
    return done.returncode, done.stdout.strip()


@contextlib.contextmanager
def plugged_in(image: Path, point: Path) -> Iterator[None]:
    """A disk's image mounted at `point`. Raises CalledProcessError where it can't be."""
    point.mkdir(exist_ok=True)
    _run("mount", "-o", "loop,noatime", image, point)
    try:
        yield
    finally:
        _gone(point)


@contextlib.contextmanager
def _process(folder: Path, *command: str | Path) -> Iterator[None]:
    """nbdfuse while it serves; it ends once its folder is unmounted, and nbdkit with it."""
    with (folder / "nbd.log").open("wb") as words:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=words,
                                   stderr=words)
    try:
        yield
    finally:
        _gone(folder / "fuse")
        try:
            process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _gone(point: Path) -> None:
    """Unmount, by force when somebody holds on to it."""
    deadline_s = time.monotonic() + BUSY_S
    while point.is_mount() and _says_no("umount", str(point)):
        if time.monotonic() > deadline_s:
            _quietly("umount", "--lazy", point)
        time.sleep(0.05)


def _run(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True,
                          timeout=HANG_S).stdout


def _quietly(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=False, capture_output=True, timeout=HANG_S)


def _says_no(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=HANG_S).returncode != 0
