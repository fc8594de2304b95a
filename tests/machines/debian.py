"""Debian's packages for another machine: found by lists of its own, downloaded natively, never installed here.

An emulated machine's network is slow, and what a household waits for is its line, not ours: so everything that an
installation needs lies in a folder beforehand, which the machine's own apt reads.
"""
import fcntl
import hashlib
import os
import re
import subprocess
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

from scripts.packaging.debian_packages import NoPackages, apt_config, sources

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taimat" / "machines"
LIMIT_S = 580
BESIDE = ("unattended-upgrades",)       # what the guide names beside the package; picamera2 is not Debian's


class NotDebian(Exception):
    """Packages can't be had here; the message says why."""


class Archive:
    """apt as another machine would see it: its processor, its installed packages, lists of its own."""

    def __init__(self, architecture: str) -> None:
        """Make its folder in the cache. Raises NotDebian."""
        self.architecture, self.folder = architecture, CACHE / f"apt-{architecture}"
        for name in ("lists/partial", "cache", "debs/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "nothing").touch()
        try:
            (self.folder / "debian.sources").write_text(sources())
        except NoPackages as error:
            raise NotDebian(str(error)) from None

    def fresh(self) -> "Archive":
        """Fetch the lists. Raises NotDebian."""
        self._apt("apt-get", "update")
        return self

    def kernel(self) -> str:
        """The name of the package with the newest kernel. Raises NotDebian."""
        said = self._apt("apt-cache", "depends", f"linux-image-{self.architecture}")
        return next(line.split()[1] for line in said.splitlines() if "Depends: linux-image" in line)

    def download(self, *names: str) -> list[Path]:
        """These packages alone; their files. Raises NotDebian."""
        self._apt("apt-get", "download", *names, cwd=self.folder / "debs")
        return [self._newest(name) for name in names]

    def needed(self, status: Path, *wishes: str | Path, recommends: bool = True) -> list[Path]:
        """The files of all that `apt install WISHES` would fetch for a machine with this dpkg status.

        A wish is a name or a package's file. Raises NotDebian.
        """
        names = [str(wish) for wish in wishes]
        wanted = ["-o", f"APT::Install-Recommends={'yes' if recommends else 'no'}", *names]
        elsewhere = f"Dir::Cache::archives={self.folder}/cache"         # else it leaves out what is there already
        said = self._apt("apt-get", "install", "--print-uris", "-qq", "-o", elsewhere, *wanted, status=status)
        self._apt("apt-get", "install", "--download-only", "-y", *wanted, status=status)
        files = re.findall(r"^'(?!file:)[^']*' (\S+\.deb) ", said, re.MULTILINE)
        return [self.folder / "debs" / name.replace(":", "%3a") for name in files]

    def _newest(self, name: str) -> Path:
        return max((self.folder / "debs").glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)

    def _apt(self, *command: str, status: Path | None = None, cwd: Path | None = None) -> str:
        config = self.folder / f"{'nothing' if status is None else 'status'}.conf"
        config.write_text(apt_config(self.architecture, self.folder, status or self.folder / "nothing",
                                     self.folder / "debs"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=cwd,
                              env={**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"})
        if done.returncode:
            raise NotDebian(f"{' '.join(command[:3])}: {done.stderr.strip()[-400:]}")
        return done.stdout


def supply(architecture: str, status: Path, deb: Path, *more: str) -> list[Path]:
    """What an installation of DEB by the guide fetches on a machine with this dpkg status: once, then from the cache.

    That is without what its needs recommend in turn, but with BESIDE, and with these packages. Raises NotDebian.
    """
    wants = [subprocess.run(["dpkg-deb", "-f", deb, field], check=True, capture_output=True).stdout
             for field in ("Pre-Depends", "Depends")]
    known = [architecture.encode(), " ".join((*BESIDE, *more)).encode(), status.read_bytes(), *wants]
    key = hashlib.sha256(b"\n".join(known)).hexdigest()[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    listed = CACHE / f"needs-{architecture}-{key}"
    with (CACHE / f"apt-{architecture}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not listed.exists():
            files = Archive(architecture).fresh().needed(status, deb, *BESIDE, *more, recommends=False)
            listed.write_text("".join(f"{path}\n" for path in files))
    return [Path(line) for line in listed.read_text().splitlines()]


def index(folder: Path, debs: Iterable[Path]) -> None:
    """Make a folder that apt reads as a repository (`deb [trusted=yes] file:FOLDER ./`) of these packages."""
    folder.mkdir(parents=True, exist_ok=True)
    stanzas = []
    for deb in debs:
        target = folder / urllib.parse.quote(deb.name, safe="+~_.")
        if not target.exists():
            os.link(deb, target) if deb.stat().st_dev == folder.stat().st_dev else target.write_bytes(deb.read_bytes())
        told = subprocess.run(["dpkg-deb", "-f", target], check=True, capture_output=True, text=True).stdout
        data = target.read_bytes()
        stanzas.append(f"{told.strip()}\nFilename: ./{target.name}\nSize: {len(data)}\n"
                       f"SHA256: {hashlib.sha256(data).hexdigest()}\n")
    (folder / "Packages").write_text("\n".join(stanzas))
