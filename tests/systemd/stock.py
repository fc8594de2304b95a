"""A Debian that has already what our packages need of Debian's: a layer above the image, made once by apt.

Most of what an installation takes are these packages, which are no work of ours.
"""
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.machines.debian import supply
from tests.rigs.machine.packaged import MACHINE
from tests.rigs.machine.stick import DEBIANS
from tests.systemd.kept import CACHE, kept
from tests.systemd.machine import Machine, root_image

DPKG = "var/lib/dpkg/status"
SERVICES = ("mosquitto_", "nginx_", "nginx-common_", "avahi-daemon_", "unattended-upgrades_")      # they come with ours
# No list is read: all that is needed lies there.
APT = ("apt-get", "-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0",
       "-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null")


def stocked(package: Path, *more: str) -> Path:
    """The layer for a machine that is about to install `package`; it has sudo and `more` of Debian's, too.

    Raises NoMachine and NotDebian.
    """
    debs = [deb for deb in supply(MACHINE, root_image() / DPKG, package, "sudo", *more)
            if not deb.name.startswith(SERVICES)]
    known = "\n".join([*(deb.name for deb in debs), Path(__file__).read_text()])

    def make(layer: Path) -> None:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            (work := Path(folder, "stock")).mkdir()         # names a machine, so not any name will do
            _install(work, debs).rename(layer)
    return kept("stocked", known, make)


def _install(work: Path, debs: Iterable[Path]) -> Path:
    """Returns the folder that has what such a machine has more than the image."""
    with Machine(work) as machine:
        place = machine.root / DEBIANS.lstrip("/")
        place.mkdir(parents=True)
        for deb in debs:
            shutil.copy(deb, place)
        machine.run_at_rest("sh", "-c", f"{' '.join(APT)} install {DEBIANS}/*.deb && rm -r {DEBIANS}")
    return machine.changes

