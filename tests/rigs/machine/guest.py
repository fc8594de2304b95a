"""Debian's kernel in QEMU, on this machine's own files: for what another kernel can and ours can't.

The guest sees the host's root folder read-only (9p), so the interpreter, its packages and the code under test are
the same; only the kernel is another one, taken out of its package without installing it. QEMU interprets (no KVM
needed): some ten times slower than the host.
"""
import contextlib
import fcntl
import lzma
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "taimat" / "guest"
QEMU, BUSYBOX = "qemu-system-x86_64", "/usr/bin/busybox"
TOOLS = {QEMU: "qemu-system-x86", BUSYBOX: "busybox-static"}
# In the order in which they need each other.
HOST_FILES = ("netfs", "9pnet", "9p", "9pnet_virtio")
MARK = "--- the guest speaks ---"
DOWNLOAD_S = 300

INIT = """#!/busybox sh
/busybox mount -t proc proc /proc
{loads}
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host
/busybox mount -t devtmpfs dev /host/dev
/busybox mount -t proc proc /host/proc
/busybox mount -t sysfs sys /host/sys
/busybox mount -t tmpfs tmp /host/run
echo '{mark}'
/busybox chroot /host /usr/bin/env -C {folder} PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run \
    PATH=/usr/bin:/usr/sbin {command} 2>&1
/busybox poweroff -f
"""


class NoMachine(Exception):
    """No such machine can be had here; the message says what is missing."""


def run(command: Sequence[str], folder: Path, limit_s: float, modules: Sequence[str], *options: str) -> str:
    """What a command prints in the guest, started in `folder`. Raises NoMachine, or TimeoutExpired at its limit.

    `modules` are those beyond HOST_FILES, with their settings, each behind those that it needs; `options` are QEMU's.
    """
    with started(command, folder, modules, *options) as guest:
        said, errors = guest.communicate(timeout=limit_s)
    _, mark, heard = said.partition(MARK)
    if not mark:
        raise NoMachine(f"the guest did not start: {(said + errors)[-500:]}")
    return heard.strip()


@contextlib.contextmanager
def started(command: Sequence[str], folder: Path, modules: Sequence[str],
            *options: str) -> "Iterator[subprocess.Popen[str]]":
    """The same while it runs: what the command prints comes behind MARK. It is off afterwards. Raises NoMachine."""
    named = [each.partition(" ") for each in (*HOST_FILES, *modules)]
    kernel, found = _kernel([name for name, _, _ in named])
    loads = "\n".join(f"/busybox insmod /{name}.ko {settings}" for name, _, settings in named)
    init = INIT.format(loads=loads, mark=MARK, folder=folder, command=shlex.join(command))
    with tempfile.NamedTemporaryFile(suffix=".cpio") as ramdisk:
        _write_cpio(Path(ramdisk.name), found, init)
        guest = [QEMU, "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-reboot", "-nographic",
                 "-serial", "stdio", "-kernel", str(kernel), "-initrd", ramdisk.name,
                 "-append", "console=ttyS0 quiet panic=-1", "-virtfs",
                 "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap", *options]
        process = subprocess.Popen(guest, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="replace")
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def missing(tools: dict[str, str] | None = None) -> str:
    """Why there can't be such a machine here, or "" if there can; `tools` are programs with their packages."""
    if platform.machine() != "x86_64":
        return "the guest's kernel is for x86-64 only"
    absent = [package for tool, package in {**TOOLS, **(tools or {})}.items() if not shutil.which(tool)]
    return f"apt install {' '.join(absent)}" if absent else ""


def _kernel(modules: Sequence[str]) -> tuple[Path, dict[str, bytes]]:
    """Debian's kernel and these modules, out of the cache or their package. Raises NoMachine."""
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
    return CACHE / "vmlinuz", {name: lzma.decompress((CACHE / f"{name}.ko.xz").read_bytes()) for name in modules}


def _unpack_kernel() -> None:
    said = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], check=True, capture_output=True,
                          text=True).stdout
    package = next(line.split()[1] for line in said.splitlines() if "Depends: linux-image" in line)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], cwd=folder, check=True,
                       capture_output=True, timeout=DOWNLOAD_S)
        archive = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True, timeout=DOWNLOAD_S)
        for packed in Path(folder, "usr/lib/modules").rglob("*.ko.xz"):
            shutil.move(packed, CACHE / packed.name)
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
