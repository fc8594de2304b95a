"""A Debian that has already what our packages need of Debian's: a layer above the image, made once by apt.

Most of what an installation takes are these packages, which are no work of ours.
"""
import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.machines.debian import supply
from tests.rigs.machine.packaged import MACHINE
from tests.rigs.machine.stick import DEBIANS
from tests.systemd.machine import CACHE, Machine, root_image

DPKG = "var/lib/dpkg/status"
SERVICES = ("mosquitto_", "nginx_", "nginx-common_", "avahi-daemon_", "unattended-upgrades_")      # they come with ours
KEPT_N, KEPT_S = 4, 7200.0          # layers of earlier packages; another run may be at work with one that is young
# No list is read: all that is needed lies there.
APT = ("apt-get", "-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "-o", "Dir::Etc::SourceList=/dev/null",
       "-o", "Dir::Etc::SourceParts=/dev/null")


def stocked(package: Path, *more: str) -> Path:
    """The layer for a machine that is about to install `package` and these of Debian's.

    Raises NoMachine and NotDebian.
    """
    debs = [deb for deb in supply(MACHINE, root_image() / DPKG, package, *more)
            if not deb.name.startswith(SERVICES)]
    known = "\n".join([*(deb.name for deb in debs), Path(__file__).read_text()])
    layers = CACHE / "stocked"
    layer = layers / hashlib.sha256(known.encode()).hexdigest()[:12]
    layers.mkdir(parents=True, exist_ok=True)
    with (CACHE / "stocked.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.exists():
            _forget(layers)
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                (work := Path(folder, "stock")).mkdir()         # names a machine, so not any name will do
                _install(work, debs).rename(layer)
        layer.touch()
    return layer


def _install(work: Path, debs: Iterable[Path]) -> Path:
    """Returns the folder that has what such a machine has more than the image."""
    with Machine(work) as machine:
        place = machine.root / DEBIANS.lstrip("/")
        place.mkdir(parents=True)
        for deb in debs:
            shutil.copy(deb, place)
        machine.run_at_rest("sh", "-c", f"{' '.join(APT)} install {DEBIANS}/*.deb && rm -r {DEBIANS}")
    return machine.changes


def _forget(layers: Path) -> None:
    made = sorted(((layer.stat().st_mtime, layer) for layer in layers.iterdir()), reverse=True)
    for touched_s, layer in made[KEPT_N:]:
        if time.time() - touched_s > KEPT_S:
            shutil.rmtree(layer, ignore_errors=True)
