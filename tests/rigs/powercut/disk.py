"""A real ext4 on a disk that remembers every write: nbdkit with plugin.py, nbdfuse, a loop device (root)."""
import contextlib
import functools
import json
import math
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.powercut import places
from tests.rigs.powercut.log import Log, Replay, copy
from tests.rigs.powercut.places import Ranges
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
        """How long the log is now: where in it the present moment lies. 0 for a disk without one."""
        return self.log.stat().st_size if self.log.exists() else 0

    def refused_n(self) -> int:
        """Requests that it has not carried out as a whole, for a trouble."""
        return (self.folder / "refused").stat().st_size

    def waiting_n(self) -> int:
        """Requests that it has not completed yet."""
        return int(Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()[8])

    def trouble(self, what: str = "", *, where: Ranges | None = None, on: str = "", for_s: float = math.inf,
                more: bool = False) -> None:
        """From now on: "EIO" or "ENOSPC" (it fails), "drop" (it is forgotten), seconds (it takes longer). "" ends all.

        `where` has the bytes of the disk that it is about; the whole disk without. `on` says what: "r" reads, "w"
        writes, "f" flushes; "w" if `where` is given, else "wf". It ends by itself after `for_s` seconds. With `more`,
        what was in force stays so; of several that fit, each delays, and the first one that fails or forgets decides.
        """
        rules = _read(self.folder / "trouble") if more else []
        if what:
            ends_ns = None if for_s == math.inf else time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(for_s * 1e9)
            rules.append({"what": what, "on": on or ("wf" if where is None else "w"), "ends_ns": ends_ns,
                          "where": None if where is None else places.merged(where)})
        # A request that the kernel made of two neighbours would fail for both.
        apart = any(rule["where"] is not None for rule in rules)
        if (queue := Path(f"/sys/block/{Path(self.device).name}/queue")).exists():
            (queue / "nomerges").write_text("2" if apart else "0")
        part = self.folder / "trouble.part"
        part.write_text(json.dumps(rules))
        part.rename(self.folder / "trouble")

    def data_fails(self, what: str = "EIO", for_s: float = math.inf, *, more: bool = False) -> None:
        """Trouble for writes of files' contents; the journal and all else of the file system's own stay well."""
        self.trouble(what, where=self.data(), for_s=for_s, more=more)

    def extents(self, *paths: Path) -> Ranges:
        """The bytes of the disk that these files have now; a file that is written on may get others. Raises OSError."""
        return places.merged(each for path in paths for each in places.extents(path))

    def journal(self) -> Ranges:
        """The bytes of the disk that the journal has."""
        return places.journal(self.device)

    def metadata(self) -> Ranges:
        """The bytes of the disk that the file system has for itself now, but for the journal."""
        return places.metadata(self.device, self.mount)

    def data(self) -> Ranges:
        """The bytes of the disk that the file system has for files' contents, now or later."""
        return places.without([(0, self.size_b)], [*self.journal(), *self.metadata()])

    def go_back(self, log_b: int) -> None:
        """Have on the disk what it had when the log was this long, and forget what came later; not while mounted."""
        log = Log.read(self.log)
        with contextlib.closing(Replay(log, self.folder / "past", self.size_b)) as replay:
            entries_n = log.number(log_b)
            replay.cut(entries_n, "kept", random.Random(0), self.folder / "image", into=True)
        os.truncate(self.log, log.entries[entries_n - 1].end if entries_n else 0)
        (self.folder / "past").unlink()

    def plug_in(self, options: str = "noatime") -> None:
        """Mount it."""
        _run("mount", "-o", options, self.device, self.mount)

    def remount(self, options: str) -> None:
        """Mount it otherwise, under whoever uses it."""
        _run("mount", "-o", f"remount,{options}", self.mount)

    def pull_out(self) -> None:
        """Take it away from under whoever uses it."""
        _run("umount", "--lazy", self.mount)

    def take_out(self) -> None:
        """Unmount it, as soon as nobody uses it any more."""
        _gone(self.mount)

    def mend(self) -> int:
        """What a boot does with it: replay the journal, check. Returns e2fsck's exit code (0 and 1 are well)."""
        return mend(self.device)[0]

    def is_whole(self) -> bool:
        """Whether a full check, which changes nothing, finds nothing; not while mounted."""
        return not _says_no("e2fsck", "-f", "-n", self.device)


@contextlib.contextmanager
def logged_disk(folder: Path, size_b: int, *mkfs: str, image: Path | None = None) -> Iterator[Disk]:
    """A fresh disk of this size below `folder`, mounted; all gone afterwards but its log. `mkfs`: more options.

    With `image`, it has what that file has, and is not mounted.
    """
    point = folder / "fuse"
    for each in (point, folder / "card"):
        each.mkdir(parents=True)
    if image:
        copy(image, folder / "image", size_b)
    fused = ("nbdfuse", f"{point}/", "--command", "nbdkit", "--single", *_kit(folder, size_b))
    with _process(folder, *fused), contextlib.ExitStack() as stack:
        until((point / "nbd").exists, "nbdfuse shows the disk; see nbd.log beside it")
        # Past the cache, so that what is read is what the disk has.
        device = _run("losetup", "--direct-io=on", "--find", "--show", point / "nbd").strip()
        stack.callback(_quietly, "losetup", "--detach", device)
        disk = Disk(folder, device, size_b)
        if not image:
            _run(*MKFS, *mkfs, device)
            disk.plug_in()
        stack.callback(_gone, disk.mount)
        stack.callback(disk.trouble)
        yield disk


def _read(rules: Path) -> list[dict]:
    return json.loads(rules.read_text()) if rules.exists() else []


@contextlib.contextmanager
def served_disk(folder: Path, image: Path) -> Iterator[Disk]:
    """A logged disk for another machine, with what `image` has: its device is the address of an NBD server."""
    size_b = image.stat().st_size
    copy(image, folder / "image", size_b)
    served = ("nbdkit", "--foreground", "--unix", folder / "socket", *_kit(folder, size_b))
    with _process(folder, *served) as process:
        until((folder / "socket").exists, "nbdkit serves; see nbd.log beside it")
        yield Disk(folder, f"nbd+unix:///?socket={folder / 'socket'}", size_b)
        process.terminate()


def _kit(folder: Path, size_b: int) -> tuple[str | Path, ...]:
    return ("--exit-with-parent", "python", PLUGIN, f"image={folder / 'image'}", f"size={size_b}",
            *(f"{name}={folder / name}" for name in ("log", "refused", "trouble")))


def mend(image: Path | str) -> tuple[int, str]:
    """Replay a file system's journal and check it as a boot does; returns e2fsck's exit code and words."""
    done = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True, timeout=HANG_S)
    return done.returncode, done.stdout.strip()


@contextlib.contextmanager
def plain_disk(folder: Path, image: Path) -> Iterator[Disk]:
    """A disk that is well, and not mounted: this very file, which changes. Its mount point is made below `folder`."""
    (folder / "card").mkdir(parents=True, exist_ok=True)
    disk = Disk(folder, _run("losetup", "--find", "--show", image).strip(), image.stat().st_size)
    try:
        yield disk
    finally:
        _gone(disk.mount)
        _quietly("losetup", "--detach", disk.device)


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
def _process(folder: Path, *command: str | Path) -> "Iterator[subprocess.Popen[bytes]]":
    """nbdfuse while it serves; it ends once its folder is unmounted, and nbdkit with it."""
    with (folder / "nbd.log").open("wb") as words:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=words,
                                   stderr=words)
    try:
        yield process
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
