"""A Debian package from its parts: control data, checksums, scripts, files; no dpkg is needed for it."""
import hashlib
import re
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path

from scripts.packaging.archive import Entry, Files, ar, folders, gzip, packed, tar, xz

DEBIAN = Path(__file__).with_name("debian")
MAINTAINER = "Taimat maintainers <taimat@localhost>"       # SECURITY.md says why there is no mailbox
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@dataclass(frozen=True)
class Package:
    """What one package is."""

    name: str
    version: str
    architecture: str                       # as Debian calls it: amd64, arm64, all
    summary: str
    description: str                        # paragraphs, parted by empty lines
    files: Files
    relations: dict[str, str] = field(default_factory=dict)     # Depends and the like
    scripts: dict[str, bytes] = field(default_factory=dict)     # maintainer scripts by their names in SCRIPTS
    conffiles: tuple[str, ...] = ()         # of `files`, those that the owner may change
    members: tuple[tuple[str, bytes], ...] = ()                 # of the archive, beside Debian's own

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.name}_{self.version}_{self.architecture}.deb"


def control(package: Package) -> str:
    """The package's description for dpkg and apt."""
    lines = [f"Package: {package.name}", f"Version: {package.version}", f"Architecture: {package.architecture}",
             f"Maintainer: {MAINTAINER}", f"Installed-Size: {installed_kib(package.files)}",
             *(f"{key}: {value}" for key, value in package.relations.items()),
             "Section: video", "Priority: optional", f"Description: {package.summary}"]
    for number, paragraph in enumerate(package.description.strip().split("\n\n")):
        lines += [" ."] * (number > 0) + textwrap.wrap(paragraph, 78, initial_indent=" ", subsequent_indent=" ")
    return "\n".join(lines) + "\n"


def installed_kib(files: Files) -> int:
    """What it takes on a disk, as Debian reckons it: whole KiB a file, one a folder."""
    return len(folders(files)) + sum(-(-len(entry.data) // 1024) or 1 for entry in files.values())


def scripts(folder: Path) -> dict[str, bytes]:
    """The maintainer scripts in a folder, by name."""
    return {name: (folder / name).read_bytes() for name in SCRIPTS if (folder / name).exists()}


def completions(bash: bytes | None = None) -> Files:
    """The command's completions where the shells look; `bash` instead of Typer's own."""
    typers = {shell: (DEBIAN / f"completion.{shell}").read_bytes() for shell in ("bash", "zsh", "fish")}
    return {"usr/share/bash-completion/completions/taimat": Entry(bash or typers["bash"]),
            "usr/share/zsh/vendor-completions/_taimat": Entry(typers["zsh"]),
            "usr/share/fish/vendor_completions.d/taimat.fish": Entry(typers["fish"])}


def manual(page: bytes, version: str, moment_s: int) -> bytes:
    """A manual page with date and version, packed."""
    day = datetime.fromtimestamp(moment_s, UTC).date().isoformat()
    return gzip(page.replace(b'1 "" "Taimat"', f'1 {day} "Taimat {version}"'.encode(), 1))


def changelog(name: str, version: str, source: Path, moment_s: int) -> bytes:
    """Debian's own log of one version, packed: what the checkout's CHANGELOG.md tells of it."""
    changes = (source / "CHANGELOG.md").read_text() if (source / "CHANGELOG.md").exists() else ""
    told = re.search(rf"^## {re.escape(version)}\b.*?\n(.*?)(?=^## |\Z)", changes, re.MULTILINE | re.DOTALL)
    points = re.findall(r"^- (.*?)(?=^- |^#|\Z)", told[1].replace("**", "") if told else "", re.MULTILINE | re.DOTALL)
    lines = [textwrap.fill(" ".join(point.split()), 76, initial_indent="  * ", subsequent_indent="    ")
             for point in points or [f"Version {version}."]]
    return gzip("\n".join((f"{name} ({version}) trixie; urgency=medium", "", *lines, "",
                           f" -- {MAINTAINER}  {formatdate(moment_s)}", "")).encode())


def deb(package: Package, moment_s: int, is_fast: bool) -> bytes:
    """The package's file."""
    sums = "".join(f"{hashlib.md5(entry.data).hexdigest()}  {path}\n"
                   for path, entry in sorted(package.files.items()) if not entry.link)
    about = {"control": Entry(control(package).encode()), "md5sums": Entry(sums.encode()),
             **{name: Entry(script, 0o755) for name, script in package.scripts.items()}}
    if package.conffiles:
        about["conffiles"] = Entry("".join(f"/{path}\n" for path in package.conffiles).encode())
    return ar([("debian-binary", b"2.0\n"), *package.members, ("control.tar.xz", xz(tar(about, moment_s))),
               packed(tar(package.files, moment_s), is_fast)], moment_s)
