"""What dpkg has laid becomes a version like any other: the package's maintainer script calls this, as root.

dpkg may replace its own files at any time; nothing runs from them. Which version runs is said by `current` alone,
whether apt or `taimat update` came last.
"""
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from agent.config.settings import Settings
from agent.core.release import TOLD_FILE, Release, ReleaseRefused, order, read
from agent.host import tree
from agent.host.files import AlreadyRunning
from agent.privileged.update.root import LOCK_EVERY_S, Root, alone, demand_room
from agent.privileged.update.versions import CURRENT, Versions
from agent.privileged.update.work import Updater

BUSY_S = 900.0                  # an update that is under way is waited for; it takes minutes
QUICK_S = 30.0
IS_ACTIVE = ["systemctl", "is-active", "--quiet", "taimat.target"]
TRY = ["systemctl", "start", "--no-block", "update-taimat-install.service"]
PLAIN = re.compile(r"\d+\.\d+\.\d+")


def adopt(root: Root, before: str = "") -> str:
    """Lay the package's version, and have it run: at once, or after a trial where another one works.

    `before` is the version of the package that was configured last; a later one than this means that somebody wants to
    go back. Returns what came of it, for people. Raises ReleaseRefused, AlreadyRunning and OSError; another call will
    do then.
    """
    told = (root.package / TOLD_FILE).read_bytes()
    release, until_mono_s = read(told), root.clock.mono_s() + BUSY_S
    while True:
        with alone(root, until_mono_s - root.clock.mono_s()):
            updater, is_running = root.updater(Settings()), _is_running(root)
            if not is_running or not updater.under_way():
                return _adopt(root, updater, release, told, _number(before), is_running)
        if root.clock.mono_s() >= until_mono_s:
            raise AlreadyRunning("another update is under way: journalctl -fu update-taimat-install; then again: "
                                 "dpkg --configure taimat")
        time.sleep(LOCK_EVERY_S)


def standing(root: Root) -> str:
    """What is to say of the version that runs, beside its number; "" for nothing."""
    if root.doors.under_way():
        return "an update is under way, the old version stands by: journalctl -fu update-taimat-install"
    with suppress(OSError, ReleaseRefused):
        brought = read((root.package / TOLD_FILE).read_bytes()).version
        if order(brought) > order(Versions(root.run, root.prefix).named(CURRENT)):
            return (f"apt has brought {brought}, which was not well here: journalctl -u update-taimat-install; to try "
                    "it again: apt install --reinstall taimat")
    return ""


def _adopt(root: Root, updater: Updater, release: Release, told: bytes, before: str, is_running: bool) -> str:
    versions, version = updater.versions, release.version
    proven = versions.proven()
    if proven and order(version) < order(proven) and not (before and order(before) > order(version)):
        return f"Taimat {proven} runs, and stays: it is newer than this package's {version}."
    _demand_whole(root.package, release)
    root.prefix.mkdir(parents=True, exist_ok=True)
    demand_room(root.prefix, 0)
    is_other = proven != version or _digest(versions, version) != release.trees.agent
    versions.lay(release, told, root.package)
    if proven and order(version) < order(proven):
        return _back(updater, version, proven, is_running)
    if proven and proven != version and is_running:
        updater.note_laid(version, proven)
        with suppress(OSError, subprocess.SubprocessError):     # the path unit sees the note, too
            updater.run(TRY, QUICK_S)
        return (f"Taimat {version} is tried now, while {proven} stands by: taimat update show, or journalctl -fu "
                "update-taimat-install")
    _settle(updater, version)
    if is_running and is_other:
        updater.restart()
    return f"Taimat {version} is what runs here."


def _back(updater: Updater, version: str, proven: str, is_running: bool) -> str:
    """Go back to an earlier version by the owner's wish, if it knows the store as it is."""
    try:
        if updater.config.exists():
            updater.versions.demand_ready(version, updater.config)
    except ReleaseRefused as refused:
        return f"Taimat {proven} runs, and stays: {refused}."
    _settle(updater, version)
    if is_running:
        updater.restart()
    return f"Taimat {version} is what runs here; it has taken the place of {proven}."


def _settle(updater: Updater, version: str) -> None:
    """Have this version run and judge at once, whatever was under way. Raises OSError."""
    updater.forget()
    updater.versions.point_both(version)
    updater.drop()


def _demand_whole(package: Path, release: Release) -> None:
    """See that dpkg's folders are what the package says. Raises ReleaseRefused and OSError."""
    for name in ("agent", "libraries"):
        if tree.digest(package / name) != getattr(release.trees, name):
            raise ReleaseRefused("bad_bundle", f"{package / name} is not as the package brought it: apt install "
                                 "--reinstall taimat")


def _digest(versions: Versions, version: str) -> str | None:
    with suppress(OSError):
        return tree.digest(versions.folder(version) / "agent")
    return None


def _is_running(root: Root) -> bool:
    """Whether roles run on this machine: not where an image is made, nor where somebody has ended them."""
    if not root.booted.is_dir():
        return False
    try:
        root.run(IS_ACTIVE, QUICK_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _number(version: str) -> str:
    """The version of ours in one of Debian's; "" for none."""
    found = PLAIN.match(version)
    return found[0] if found else ""
