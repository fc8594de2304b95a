"""The root file system of another processor's Debian, made by Debian's own tools and cached.

Its programs are interpreted by qemu-user. That is told to the kernel in a user namespace of its own: nothing about this
computer changes.
"""
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.packaging.debian_packages import SUITE, sources
from tests.machines.debian import CACHE

ARCHITECTURE = "arm64"
# What a Lite image has, and Taimat's own needs build on; ssh is the tests' door.
PACKAGES = ("systemd,systemd-sysv,udev,dbus,kmod,iproute2,procps,e2fsprogs,python3,ca-certificates,tzdata,sudo,"
            "login,util-linux,dropbear-bin")
BUILD_S = 1800
BINFMT = Path("/proc/sys/fs/binfmt_misc")
# The magic of an arm64 ELF program, as binfmt_misc takes it.
INTERPRET = (rb":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
             rb":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:%s:OCPF")


def root_tar() -> Path:
    """The file system as an archive; made on first use, which takes some six minutes. The caller holds the lock."""
    recipe = hashlib.sha256(PACKAGES.encode()).hexdigest()[:12]
    target = CACHE / f"{SUITE}-{ARCHITECTURE}-{recipe}.tar"
    if not target.exists():
        (CACHE / "debian.sources").write_text(sources())
        subprocess.run(["unshare", "--user", "--map-users=0:0:65536", "--map-groups=0:0:65536", "--mount",
                        sys.executable, "-m", "tests.machines.foreign", target.with_suffix(".part")], check=True,
                       timeout=BUILD_S, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
        target.with_suffix(".part").rename(target)
    return target


def _bootstrap(target: Path) -> None:
    """Within the namespace."""
    subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=True)
    with (BINFMT / "register").open("wb", buffering=0) as register:
        register.write(INTERPRET % shutil.which("qemu-aarch64").encode())
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    subprocess.run(["mmdebstrap", "--mode=root", f"--architectures={ARCHITECTURE}", "--variant=minbase", "--format=tar",
                    "--skip=check/qemu,output/dev,output/mknod", "--aptopt=Acquire::Languages \"none\"", *without,
                    "--customize-hook=chroot \"$1\" mkdir -p /etc/dropbear",
                    "--customize-hook=chroot \"$1\" dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key",
                    f"--include={PACKAGES}", SUITE, target, CACHE / "debian.sources"], check=True)


if __name__ == "__main__":
    _bootstrap(Path(sys.argv[1]))
