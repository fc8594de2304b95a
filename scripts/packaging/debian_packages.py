"""Debian's packages for a container: fetched by apt for any processor, unpacked without their scripts.

apt checks Debian's signatures. Nothing is installed here, and no foreign program runs.
"""
import io
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.packaging.archive import Entry, Files
from scripts.packaging.repository import members
from scripts.packaging.wheels import NoWheel, cache

SUITE = "trixie"
SOURCES = Path("/etc/apt/sources.list.d")
# What only an installation needs, or a machine with systemd: taken as installed, so that apt fetches none of it.
ABSENT = ("adduser", "avahi-daemon", "bash", "coreutils", "dash", "debconf", "dpkg", "init-system-helpers",
          "media-types", "mime-support", "perl", "perl-base", "python3-pip", "python3-pkg-resources", "readline-common",
          "sqlite3", "systemd", "tar", "ucf")
STATUS = """\
Package: {}
Status: install ok installed
Maintainer: none
Architecture: {}
Version: 9999
{}Description: absent
"""
CONFIG = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "{folder}";
Dir::State::status "{status}";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{archives}";
Dir::Etc::sourcelist "{folder}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""
# No reader is in a container; licences stay.
LEFT_OUT = re.compile(r"usr/share/(doc/(?!.*/copyright$)|man/|info/|locale/|lintian/|bug/|bash-completion/|doc-base/|"
                      r"perl5/|pixmaps/|applications/|common-licenses/.*-old)|(etc|usr/lib)/systemd/|"
                      r"etc/(init\.d|cron\.|logrotate\.d|apt/|dpkg/|update-motd)|usr/lib/python3.*/(test|idlelib)/")


class NoPackages(NoWheel):
    """Debian's packages can't be had; the text says why."""


def fetched(folder: Path, architecture: str, wishes: Iterable[str]) -> list[Path]:
    """The packages in `folder`; where it is missing, apt fetches these and all they need. Raises NoPackages."""
    wishes = {*wishes}
    if folder.is_relative_to(cache()) and wishes - names(folder):       # from before something was added
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            _fetch(Path(place), architecture, sorted(wishes))
            Path(place, "cache/archives").rename(folder)
        for other in (folder / "lock", folder / "partial"):
            other.rmdir() if other.is_dir() else other.unlink(missing_ok=True)
    if lacking := sorted(wishes - names(folder)):
        raise NoPackages(f"{folder} has no {', '.join(lacking)}: remove the folder, and apt fetches all anew")
    return sorted(folder.glob("*.deb"))


def names(folder: Path) -> set[str]:
    return {path.name.partition("_")[0] for path in folder.glob("*.deb")}


def _fetch(place: Path, architecture: str, wishes: list[str]) -> None:
    for name in ("lists/partial", "cache/archives/partial"):
        (place / name).mkdir(parents=True)
    gone = {"debconf": "Provides: debconf-2.0\n"}
    (place / "status").write_text("\n".join(STATUS.format(name, architecture, gone.get(name, "")) for name in ABSENT))
    (place / "debian.sources").write_text(sources())
    (place / "apt.conf").write_text(apt_config(architecture, place, place / "status", place / "cache/archives"))
    for words in (("update",), ("install", "--no-install-recommends", "--download-only", "-y", *wishes)):
        done = subprocess.run(("apt-get", "-qq", *words), capture_output=True, text=True,
                              env={**os.environ, "APT_CONFIG": str(place / "apt.conf"), "LC_ALL": "C"})
        if done.returncode:
            raise NoPackages(f"apt-get {words[0]}: {(done.stderr or done.stdout).strip()[-500:]}")


def apt_config(architecture: str, folder: Path, status: Path, archives: Path) -> str:
    """Settings for apt as another machine would run it: with the sources in `folder`, this dpkg status, and the
    packages kept in `archives`."""
    return CONFIG.format(architecture=architecture, folder=folder, status=status, archives=archives)


def sources() -> str:
    """This computer's archives of Debian as deb822 stanzas. Raises NoPackages."""
    stanzas = [stanza.strip() for path in sorted(SOURCES.glob("*.sources"))
               for stanza in re.split(r"\n\s*\n", path.read_text())
               if re.search(rf"^Suites:.*\b{SUITE}\b", stanza, re.MULTILINE)
               and re.search(r"^URIs:\s*https?:", stanza, re.MULTILINE)]
    if not stanzas:
        raise NoPackages(f"no source of Debian's {SUITE} in {SOURCES}: give --debian FOLDER with its packages")
    return "\n\n".join(stanzas) + "\n"


def unpacked(packages: Iterable[Path]) -> Files:
    """All their files, owned by root and without set-user rights. Raises NoPackages."""
    files: Files = {}
    for path in packages:
        data = {name: body for name, body in members(path.read_bytes()) if name.startswith("data.tar")}
        if "data.tar.xz" not in data:
            raise NoPackages(f"{path}: is packed in another way than Debian's packages")
        with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data["data.tar.xz"]))) as archive:
            files |= {name: entry for info in archive if (name := info.name.removeprefix("./").rstrip("/"))
                      and not LEFT_OUT.match(f"{name}/" if info.isdir() else name)
                      and (entry := _entry(info, archive)) is not None}
    return files


def _entry(info: tarfile.TarInfo, archive: tarfile.TarFile) -> Entry | None:
    if info.issym():
        return Entry(link=info.linkname)
    if info.isfile() or info.islnk():
        return Entry(archive.extractfile(info).read(), info.mode & 0o755)
    return None     # a folder is made for what lies in it
