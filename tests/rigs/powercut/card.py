"""A recorder's whole card as an image: Debian on ext4, our package installed by apt, cameras, a ward, some footage.

Made once as long as nothing that goes into it changes. Tests work on copies.
"""
import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from scripts.packaging import wheels
from tests.rigs.machine.packaged import BROKEN, SOONER, Packaged, packaged
from tests.rigs.machine.stick import DEBIANS, STICK, Stick, take_off_line
from tests.rigs.powercut.disk import plain_disk
from tests.rigs.powercut.recorder import FILM, Recorder
from tests.rigs.wait import until
from tests.systemd.machine import Machine
from tests.systemd.stock import stocked

SIZE_B = 1400 << 20
KEPT_N, KEPT_S = 4, 7200.0
MKFS = ("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
SETTINGS = "etc/taimat/taimat.toml"
FIRST, LATER, BAD = "0.1.0", "0.2.0", "0.3.0"
UPDATE = f"{STICK}/{{}}.update"
CONFIG = """
[store]
quota_gb = {quota_gb}
[[camera]]
name = "gate"
source = "file:{film}"
loop = true
record = "both"
pre_roll_s = 1
post_roll_s = 1
merge_gap_s = 1
max_clip_s = 10
[[camera]]
name = "yard"
source = "file:{film}"
loop = true
record = "continuous"
max_clip_s = 10
[sharing]
default = "ask"
[ward]
enabled = true
ward = "w07"
health_every_s = 5
keepalive_s = 5
{ward}
"""
NOWHERE = 'host = "198.18.255.1"\nport = 9\ntls = false\n'
QUOTA_GB = 0.04
# The household joins its ward, as if it had agreed on the page.
JOIN = """
import contextlib
from pathlib import Path
from agent.core.household import consent
from agent.store import membership
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.membership import Membership
folders = Folders(Path("/var/lib/taimat"))
with contextlib.closing(connect(folders.root)) as db, contextlib.closing(decisions.connect(folders)) as own:
    for each in (own, db):
        membership.put(each, Membership(ward="w07", told=list(consent.TOLD)))
"""
AS_KEEPER = ("setpriv", "--reuid=taimat-keeper", "--regid=taimat", "--init-groups", "env",
             "PYTHONPATH=/opt/taimat/current:/opt/taimat/current/libraries", "sh", "-c", 'umask 7; exec "$@"', "-")


def config(ward: str = NOWHERE, quota_gb: float = QUOTA_GB) -> str:
    """A recorder's settings; `ward` is where its broker is, and its papers."""
    return CONFIG.format(film=FILM, ward=ward, quota_gb=quota_gb)


def used() -> Path:
    """A recorder that has been at work for a minute, and was then switched off in order.

    Raises NoMachine, NotDebian and NoWheel. So does the next.
    """
    return _once("used", _make_used)


def bare() -> Path:
    """A Debian that never had our package; it is on a stick, and what it needs of Debian's in a folder."""
    return _once("bare", lambda image, work: _image(image, work, install=False))


def _once(kind: str, make: Callable[[Path, Path], None]) -> Path:
    """The image of this kind, from the cache or made anew."""
    first = packaged(FIRST, edit=SOONER)
    known = f"{first.deb}\n{Path(__file__).read_text()}"
    cache = wheels.cache() / "cards"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = cache / f"{kind}-{hashlib.sha256(known.encode()).hexdigest()[:16]}.img"
        if not image.exists():
            _forget(cache)
            part, work = image.with_suffix(".part"), cache / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            make(part, work)
            part.rename(image)
            shutil.rmtree(work)
        image.touch()
    return image


def _forget(cache: Path) -> None:
    made = sorted(((image.stat().st_mtime, image) for image in cache.glob("*.img")), reverse=True)
    for touched_s, image in made[KEPT_N:]:
        if time.time() - touched_s > KEPT_S:
            image.unlink()


def _image(image: Path, work: Path, *, install: bool) -> None:
    first = packaged(FIRST, edit=SOONER)
    with Machine(work, stock=stocked(first.deb) if install else None) as machine:
        take_off_line(machine.root, first.deb)
        stick = Stick(machine.root / STICK.lstrip("/"), work / "gpg")
        stick.add(first.deb)
        if install:
            machine.run_at_rest("apt-get", "update")
            machine.run_at_rest("apt-get", "install", "-y", "--no-install-recommends", "taimat")
            for version, made in releases().items():
                shutil.copy(made.update, machine.root / UPDATE.format(version).lstrip("/"))
            shutil.rmtree(machine.root / DEBIANS.lstrip("/"))
            machine.write(f"/{SETTINGS}", config())
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(SIZE_B)
        subprocess.run([*MKFS, "-d", machine.root, image], check=True)


def releases() -> dict[str, Packaged]:
    """Light releases that lie on the stick, by version: one that works, and one that does not."""
    return {LATER: packaged(LATER, edit=SOONER, is_light=True), BAD: packaged(BAD, edit=BROKEN, is_light=True)}


def _make_used(image: Path, work: Path) -> None:
    _image(image, work, install=True)
    with plain_disk(work, image) as disk, Recorder(disk, work) as recorder:
        recorder.switch_on()
        recorder.machine.until("taimat-keeper.service", "ActiveState", "active")
        recorder.machine.run(*AS_KEEPER, "python3", "-c", JOIN)
        recorder.machine.run("systemctl", "restart", "taimat.target")
        until(lambda: len(recorder.finished()) >= 6 and recorder.events(), "clips and an event")
        recorder.switch_off()
