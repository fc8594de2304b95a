"""Root's part of an update: systemd's units act on the link's request, or a technician brings a bundle.

The link parses what strangers send, so root reads from it only which bundle it has, and opens that as a stranger's.
Configuration, key and versions are root's own. All functions raise ConfigError, ReleaseRefused and OSError.
"""
import contextlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from agent.config.load import load
from agent.config.settings import Settings
from agent.core.evidence.ledger.row import fingerprint
from agent.core.key_slots import KeySlots
from agent.core.release import TOLD_FILE, Release, ReleaseRefused, UpdateSite, check_fits, read
from agent.core.trial import TrialPace
from agent.host import command_key
from agent.host.clock import Clock, SystemClock
from agent.host.command_key import verifies
from agent.host.files import AlreadyRunning, Lock, open_plain, write_durably
from agent.host.updates import PACKAGE, Result, UpdateFolders, bundle, key_file
from agent.privileged.update.bundle import unpack
from agent.privileged.update.deaths import deaths, last_words
from agent.privileged.update.versions import PROVEN, Versions
from agent.privileged.update.work import Updater
from agent.store.schema import SCHEMA

UNPACKED = 6                # times a file's size: unpacked, and compiled
SPARE_B = 64 << 20
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOCK_EVERY_S = 1.0

_log = logging.getLogger(__name__)


def execute(command: Sequence[str], within_s: float) -> None:
    """Runs a command to its end, with our output. Raises OSError and subprocess.SubprocessError.

    It runs in "/", because Python would import modules from the working folder, such as a technician's stick.
    """
    subprocess.run(command, check=True, timeout=within_s, stdin=subprocess.DEVNULL, cwd="/")


@dataclass(frozen=True, slots=True)
class Root:
    """The places and tools of an update; tests replace them."""

    config: Path
    clock: Clock = field(default_factory=SystemClock)
    versions: Versions = Versions(execute)
    doors: UpdateFolders = UpdateFolders()
    package: Path = PACKAGE
    booted: Path = Path("/run/systemd/system")      # exists if systemd runs
    pace: TrialPace = TrialPace()
    deaths: Callable[[Sequence[str]], Mapping[str, int]] = deaths
    last_words: Callable[[str], str] = last_words

    def updater(self, settings: Settings) -> Updater:
        return Updater(self.versions, self.doors, Path(settings.store.runtime), config=self.config, clock=self.clock,
                       pace=self.pace, deaths=self.deaths, last_words=self.last_words)


def work(root: Root) -> Result | None:
    """Continues an interrupted update, or installs what the link asks for. Returns None if there is neither."""
    settings = load(root.config)
    with alone(root, within_s=float("inf")):
        updater = root.updater(settings)
        if under_way := updater.under_way():
            return updater.resume(under_way)
        asked = root.doors.collect(root.clock.now())
        if asked is None:
            return None
        try:
            was = updater.versions.named(PROVEN)
        except ReleaseRefused as refused:
            root.doors.tell(Result(id=asked.id, version=None, code=refused.code))
            raise
        path = bundle(Path(settings.store.folder), asked.sha256)
        return updater.install(asked.id, was, lambda into: _open(root, settings, was, path, into, ordered=True))


def install(root: Root, path: Path) -> Result:
    """Installs a technician's bundle. Raises AlreadyRunning, too."""
    settings = load(root.config)
    with alone(root):
        updater = root.updater(settings)
        if updater.under_way():
            raise ReleaseRefused("busy", "another update is under way: journalctl -fu update-taimat-install")
        was = updater.versions.named(PROVEN)
        return updater.install(None, was, lambda into: _open(root, settings, was, path, into, ordered=False))


def boot(root: Root) -> None:
    """Runs before any role starts, and checks whether the last update crashed the machine."""
    updater = root.updater(load(root.config))
    if under_way := updater.under_way():
        updater.boot(under_way)


def rollback(root: Root) -> Result:
    """Returns to the version before this one. Raises AlreadyRunning, too."""
    settings = load(root.config)
    with alone(root):
        updater = root.updater(settings)
        if updater.under_way():
            raise ReleaseRefused("busy", "an update is under way: it goes back by itself if it does not work")
        current = updater.versions.named(PROVEN)
        others = [version for version in updater.versions.whole() if version != current]
        if not others:
            raise ReleaseRefused("no_way_back", f"there is no other version than {current} on this device: "
                                 "install a release")
        updater.back(others[-1])
        return Result(id="", version=others[-1])


@contextmanager
def alone(root: Root, within_s: float = 0.0) -> Iterator[None]:
    """Holds the lock on the versions. Raises AlreadyRunning if another process keeps it longer; OSError."""
    root.doors.told.mkdir(mode=0o755, parents=True, exist_ok=True)
    until_mono_s = root.clock.mono_s() + within_s
    while True:
        try:
            lock = Lock(root.doors.told / "update.lock")
            break
        except AlreadyRunning:
            if root.clock.mono_s() >= until_mono_s:
                raise
        time.sleep(LOCK_EVERY_S)
    try:
        yield
    finally:
        lock.release()


def _open(root: Root, settings: Settings, was: str, path: Path, into: Path, *, ordered: bool) -> tuple[Release, bytes]:
    """Unpacks the release at `path`. If the ward has `ordered` it, the household's rule counts."""
    if ordered and settings.update.rule == "never":
        raise ReleaseRefused("forbidden", '[update] rule is "never": nothing is installed by order')
    key = key_file(settings.update.release_key, root.package)
    if not settings.update.release_key and not key.exists():
        raise ReleaseRefused("no_release_key", "[update] release_key names no file with the key of the releases' "
                             "maker, and the package has not brought one")
    try:
        slots = command_key.in_force(str(key), root.doors.release_keys, "[update] release_key", "the maker", "root")
        handle = open_plain(path)
    except command_key.PublicKeyProblem as problem:
        raise ReleaseRefused("no_release_key", str(problem)) from problem
    except OSError as error:
        raise ReleaseRefused("download", f"{path}: {error.strerror or error}") from error
    with os.fdopen(handle, "rb") as file:
        return unpack(file, slots, verifies, into, partial(_accept, root, slots, was, os.fstat(handle).st_size))


def _accept(root: Root, slots: KeySlots, was: str, size_b: int, release: Release, changed: KeySlots) -> Collection[str]:
    """Returns which folders of a release to unpack, if the release fits.

    A change of keys counts even if the release does not fit, because it may revoke a stolen key.
    """
    if changed != slots:
        write_durably(root.doors.release_keys, msgspec.json.encode(changed), 0o644)
        _log.warning("releases are signed by key %s from now on", fingerprint(bytes.fromhex(changed.current)))
    check_fits(release, UpdateSite(version=was, python=sys.version_info[:3], schema=SCHEMA, units=units(root.package),
                               architecture=ARCHITECTURES.get(platform.machine(), platform.machine())))
    has_libraries = root.versions.libraries(release.trees.libraries).is_dir()
    demand_room(root.versions.root, 0 if has_libraries else size_b)
    return ("agent",) if has_libraries else ("agent", "libraries")


def units(package: Path) -> int:
    """The generation of units, users and folders that the installed package brought; 0 without a package."""
    with contextlib.suppress(OSError, ReleaseRefused):
        return read((package / TOLD_FILE).read_bytes()).needs.units
    return 0


def demand_room(folder: Path, packed_b: int) -> None:
    """Raises ReleaseRefused if a file of `packed_b` cannot be unpacked there, beside the agent's own code."""
    need_b, free_b = UNPACKED * packed_b + SPARE_B, shutil.disk_usage(folder).free
    if free_b < need_b:
        raise ReleaseRefused("no_room", f"{folder}: {free_b >> 20} MB are free, and up to {need_b >> 20} MB are "
                             "needed: make room there")
