"""An emulated machine's card, kernel and first steps: Debian 13 for arm64 with real systemd, made once and cached.

The kernel is unpacked, not installed; a ramdisk of busybox and the modules of the card leads to systemd.
"""
import fcntl
import hashlib
import lzma
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.packaging.debian_packages import SUITE
from tests.machines import foreign
from tests.machines.debian import CACHE, Archive, NotDebian
from tests.machines.foreign import ARCHITECTURE

TOOLS = {"qemu-system-aarch64": "qemu-system-arm", "qemu-aarch64": "qemu-user", "mmdebstrap": "mmdebstrap",
         "mke2fs": "e2fsprogs", "mkfs.vfat": "dosfstools", "mcopy": "mtools", "depmod": "kmod", "cpio": "cpio",
         "ssh": "openssh-client"}
CARD_MB, BOOT_MB = 4096, 64
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod /modules/$module; done < /order
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 -o ro /dev/vda /root || exec /bin/busybox sh
for folder in dev proc sys; do /bin/busybox mount --move /$folder /root/$folder; done
exec /bin/busybox switch_root /root /sbin/init
"""
FILES = {
    "etc/hostname": "recorder\n",
    "etc/hosts": "127.0.0.1 localhost recorder\n",
    "etc/fstab": "/dev/root / ext4 defaults,noatime 0 1\nLABEL=bootfs /boot/firmware vfat defaults 0 2\n",
    "etc/apt/apt.conf.d/50-machine": 'Acquire::Languages "none";\n',
    "etc/apt/sources.list.d/stick.sources":
        "Types: deb\nURIs: file:/media/stick\nSuites: ./\nTrusted: yes\n",
    "etc/systemd/network/10-machine.network":
        "[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nIPv6AcceptRA=no\n",
    "etc/systemd/system/dropbear.service":
        "[Unit]\nDescription=The tests' door\nDefaultDependencies=no\nAfter=local-fs.target\n"
        "[Service]\nExecStart=/usr/sbin/dropbear -F -E -s\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"}
ENABLED = ("systemd-networkd.service", "dropbear.service")
MASKED = ("systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer")


@dataclass(frozen=True, slots=True)
class Guest:
    """What a boot needs: kernel, ramdisk, a fresh card and boot partition, and the tests' key."""

    kernel: Path
    ramdisk: Path
    card: Path
    boot: Path
    key: Path
    status: Path


def missing() -> str:
    """Why no such machine can be made here, or "" if one can."""
    absent = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    return f"apt install {' '.join(absent)}" if absent else ""


def guest() -> Guest:
    """The cached machine; made on first use, which takes minutes. Raises NotDebian."""
    if why := missing():
        raise NotDebian(why)
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{SUITE}-{ARCHITECTURE}-{recipe}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            _make(part)
            part.rename(folder)
    return Guest(*(folder / name for name in ("vmlinuz", "ramdisk", "card.img", "boot.img", "key", "status")))


def _make(folder: Path) -> None:
    archive = Archive(ARCHITECTURE).fresh()
    kernel, busybox = archive.download(archive.kernel(), "busybox-static")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        unpacked = Path(work, "kernel")
        subprocess.run(["dpkg-deb", "-x", kernel, unpacked], check=True)
        _ramdisk(unpacked, busybox, Path(work, "ramdisk"), folder / "ramdisk")
        shutil.copy(next(unpacked.glob("boot/vmlinuz-*")), folder / "vmlinuz")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        root = Path(work, "root")
        root.mkdir()
        subprocess.run(["tar", "-C", root, "-xf", foreign.root_tar()], check=True)
        shutil.copytree(unpacked / "usr/lib/modules", root / "usr/lib/modules", symlinks=True)
        _furnish(root, folder / "key.pub")
        shutil.copy(root / "var/lib/dpkg/status", folder / "status")
        _card(folder / "card.img", CARD_MB, root)
    with (folder / "boot.img").open("wb") as image:
        image.truncate(BOOT_MB << 20)
    subprocess.run(["mkfs.vfat", "-n", "bootfs", folder / "boot.img"], check=True, stdout=subprocess.DEVNULL)


def _ramdisk(unpacked: Path, busybox: Path, work: Path, target: Path) -> None:
    for name in ("bin", "dev", "proc", "sys", "root", "modules"):
        (work / name).mkdir(parents=True)
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", busybox], check=True, capture_output=True).stdout
    program = subprocess.run(["tar", "-xO", "./usr/bin/busybox"], input=packed, check=True, capture_output=True).stdout
    (work / "bin/busybox").write_bytes(program)
    (work / "init").write_text(INIT)
    for path in (work / "bin/busybox", work / "init"):
        path.chmod(0o755)
    (work / "order").write_text("".join(f"{name}\n" for name in _modules(unpacked, work / "modules")))
    names = "\n".join(str(path.relative_to(work)) for path in sorted(work.rglob("*")))
    with target.open("wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=work, input=names.encode(), stdout=out, check=True)


def _modules(unpacked: Path, target: Path) -> list[str]:
    """Unpack what the card's driver and file system need into `target`; their names in the order of loading."""
    (unpacked / "lib").symlink_to("usr/lib")
    version = next((unpacked / "usr/lib/modules").iterdir()).name
    subprocess.run(["depmod", "-b", unpacked, version], check=True)
    order: list[str] = []
    for wanted in ("virtio_blk", "ext4"):
        said = subprocess.run(["modprobe", "-d", unpacked, "-S", version, "--show-depends", wanted], check=True,
                              capture_output=True, text=True).stdout
        for path in (Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod")):
            if path.stem not in order:
                (target / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
                order.append(path.stem)
    return order


def _furnish(root: Path, key: Path) -> None:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for path in (root / "etc/apt/sources.list.d").glob("*"):
        if path.name != "stick.sources":
            path.unlink()
    for name in ("boot/firmware", "media/stick"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key, root / "root/.ssh/authorized_keys")
    (root / "root/.ssh/authorized_keys").chmod(0o600)
    for verb, units in (("enable", ENABLED), ("mask", MASKED)):
        subprocess.run(["systemctl", f"--root={root}", "--quiet", verb, *units], check=True)


def _card(path: Path, size_mb: int, root: Path) -> None:
    with path.open("wb") as image:
        image.truncate(size_mb << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "rootfs", "-d", root, path], check=True)

