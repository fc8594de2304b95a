"""Folders that apt installs from without any network: a maker's signed one, as on a stick, and one of Debian's."""
import shutil
import subprocess
from pathlib import Path

from scripts.packaging import repository
from tests.machines.debian import NotDebian, index, supply
from tests.rigs.machine.packaged import MACHINE, MOMENT_S

DEBIANS, STICK = "/srv/debian", "/media/usb/taimat"     # in the machine
SOURCES = f"""
Types: deb
URIs: file:{STICK}
Suites: ./
Signed-By: {STICK}/{repository.KEY}

Types: deb
URIs: file:{DEBIANS}
Suites: ./
Trusted: yes
"""


class Stick:
    """A maker's repository in `folder`, which a new key signs."""

    def __init__(self, folder: Path, work: Path) -> None:
        """`work` is made, for the key. Raises NotDebian."""
        if not shutil.which("gpg"):
            raise NotDebian("no gpg: apt install gpg")
        self.folder, self._key, self._moment_s = folder, work / "secret.asc", MOMENT_S
        gpg = ("gpg", "--homedir", work, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        work.mkdir(mode=0o700)
        subprocess.run([*gpg, "--quick-generate-key", "Maker <maker@example.org>", "ed25519", "sign", "never"],
                       check=True)
        secret = subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True).stdout
        self._key.write_bytes(secret)
        subprocess.run(["gpgconf", "--homedir", work, "--kill", "all"], check=True)      # else its agent stays

    def add(self, *packages: Path) -> None:
        """Lay them there; the list of what is there is dated a minute later each time."""
        repository.add(self.folder, {path.name: path.read_bytes() for path in packages}, str(self._key), self._moment_s)
        self._moment_s += 60


def take_off_line(root: Path, deb: Path) -> None:
    """Have the Debian in `root` install from STICK, and from a folder with what `deb` needs. Raises NotDebian."""
    index(root / DEBIANS.lstrip("/"), supply(MACHINE, root / "var/lib/dpkg/status", deb))
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for path in (root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    (root / "etc/apt/sources.list.d/taimat.sources").write_text(SOURCES)
