"""A machine with a V4L2 camera: Debian's kernel and its test driver vivid in QEMU, on this machine's own files.

The guest sees the host's root folder read-only (9p), so the interpreter, its packages and the code under test are
the same; only the kernel is another one, taken out of its package without installing it. QEMU interprets (no KVM
needed): some ten times slower than the host.
"""
import fcntl
import lzma
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

CACHE = Path.home() / ".cache" / "taimat" / "vivid"
QEMU, BUSYBOX = "qemu-system-x86_64", "/usr/bin/busybox"
TOOLS = {QEMU: "qemu-system-x86", BUSYBOX: "busybox-static", "v4l2-ctl": "v4l-utils"}
# In the order in which they need each other.
MODULES = ("netfs", "9pnet", "9p", "9pnet_virtio", "rc-core", "cec", "mc", "videobuf2-common", "videodev",
           "videobuf2-v4l2", "videobuf2-memops", "videobuf2-vmalloc", "videobuf2-dma-contig", "v4l2-dv-timings",
           "v4l2-tpg", "vivid")
MARK = "--- the scenario speaks ---"
DOWNLOAD_S = 300

INIT = """#!/busybox sh
/busybox mount -t proc proc /proc
for module in {modules}; do /busybox insmod /$module.ko; done
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host
/busybox mount -t devtmpfs dev /host/dev
/busybox mount -t proc proc /host/proc
/busybox mount -t sysfs sys /host/sys
/busybox mount -t tmpfs tmp /host/run
echo '{mark}'
/busybox chroot /host /usr/bin/env -C {folder} PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run PATH=/usr/bin {command} 2>&1
/busybox poweroff -f
"""


class NoMachine(Exception):
    """No such machine can be had here; the message says what is missing."""


def run(command: list[str], folder: Path, limit_s: float) -> str:
    """What a command prints in the guest, started in `folder`. Raises NoMachine, or TimeoutExpired at its limit."""
    kernel, modules = _kernel()
    init = INIT.format(modules=" ".join(MODULES), mark=MARK, folder=folder, command=shlex.join(command))
    with tempfile.NamedTemporaryFile(suffix=".cpio") as ramdisk:
        _write_cpio(Path(ramdisk.name), modules, init)
        guest = [QEMU, "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-reboot", "-nographic",
                 "-serial", "stdio", "-kernel", str(kernel), "-initrd", ramdisk.name,
                 "-append", "console=ttyS0 quiet panic=-1",
                 "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"]
        done = subprocess.run(guest, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s,
                              errors="replace")
    _, mark, said = done.stdout.partition(MARK)
    if not mark:
        raise NoMachine(f"the guest did not start: {(done.stdout + done.stderr)[-500:]}")
    return said.strip()


def missing() -> str:
    """Why there can't be such a machine here, or "" if there can."""
    if platform.machine() != "x86_64":
        return "the guest's kernel is for x86-64 only"
    absent = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    return f"apt install {' '.join(absent)}" if absent else ""


def _kernel() -> tuple[Path, dict[str, bytes]]:
    """Debian's kernel and the modules, out of the cache or their package. Raises NoMachine."""
    if missing():
        raise NoMachine(missing())
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "vmlinuz").exists():
            try:
                _unpack_kernel()
            except (OSError, subprocess.SubprocessError, StopIteration) as error:
                raise NoMachine(f"no kernel to be had: {error}") from None
    return CACHE / "vmlinuz", {name: (CACHE / f"{name}.ko").read_bytes() for name in MODULES}


def _unpack_kernel() -> None:
    said = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], check=True, capture_output=True,
                          text=True).stdout
    package = next(line.split()[1] for line in said.splitlines() if "Depends: linux-image" in line)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], cwd=folder, check=True,
                       capture_output=True, timeout=DOWNLOAD_S)
        archive = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True, timeout=DOWNLOAD_S)
        for name in MODULES:
            packed = next(Path(folder, "usr/lib/modules").rglob(f"{name}.ko.xz"))
            (CACHE / f"{name}.ko").write_bytes(lzma.decompress(packed.read_bytes()))
        shutil.move(next(Path(folder, "boot").glob("vmlinuz-*")), CACHE / "vmlinuz")


def _write_cpio(path: Path, modules: dict[str, bytes], init: str) -> None:
    """The ramdisk, in the "newc" format of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst."""
    files: Iterable[tuple[str, int, bytes]] = (
        *((folder, 0o040755, b"") for folder in ("proc", "host")),
        ("busybox", 0o100755, Path(BUSYBOX).read_bytes()), ("init", 0o100755, init.encode()),
        *((f"{name}.ko", 0o100644, data) for name, data in modules.items()), ("TRAILER!!!", 0, b""))
    with path.open("wb") as cpio:
        for number, (name, mode, data) in enumerate(files, 1):
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
            head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
            for part in (head, data):
                cpio.write(part + bytes(-len(part) % 4))
