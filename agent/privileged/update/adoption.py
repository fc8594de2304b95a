"""Makes the files that dpkg has installed a version like any other. The package's maintainer script calls this as root.

dpkg may replace its own files at any time, so nothing runs from them. Only `current` says which version runs, no matter
whether apt or `taimat update` came last.
"""
import re
import subprocess
import time
from contextlib import suppress

from agent.config.settings import Settings
from agent.core.release import TOLD_FILE, Release, ReleaseRefused, order, read
from agent.host import tree
from agent.host.files import AlreadyRunning
from agent.privileged.update.root import LOCK_EVERY_S, Root, alone, demand_room
from agent.privileged.update.versions import CURRENT
from agent.privileged.update.work import Updater

BUSY_S = 900.0                  # how long to wait for another update, which takes minutes
QUICK_S = 30.0
IS_ACTIVE = ["systemctl", "is-active", "--quiet", "taimat.target"]
TRY = ["systemctl", "start", "--no-block", "update-taimat-install.service"]
PLAIN = re.compile(r"\d+\.\d+\.\d+")


def adopt(root: Root, before: str = "") -> str:
    """Installs the package's version and runs it: at once, or after a trial if another version works.

    `before` is the Debian version that was configured last; if it is later than this one, the owner wants to go back.
    Returns the outcome for people. Raises ReleaseRefused, AlreadyRunning and OSError; the caller may try again.
    """
    notes = (root.package / TOLD_FILE).read_bytes()
    release, until_mono_s = read(notes), root.clock.mono_s() + BUSY_S
    while True:
        with alone(root, until_mono_s - root.clock.mono_s()):
            updater, is_running = root.updater(Settings()), _is_running(root)
            if not is_running or not updater.under_way():
                before = found[0] if (found := PLAIN.match(before)) else ""
                return _adopt(root, updater, before, is_running, release=release, notes=notes)
        if root.clock.mono_s() >= until_mono_s:
            raise AlreadyRunning("another update is under way: journalctl -fu update-taimat-install; then again: "
                                 "dpkg --configure taimat")
        time.sleep(LOCK_EVERY_S)


def standing(root: Root) -> str:
    """Says what is special about the version that runs; "" if nothing is."""
    if root.doors.under_way():
        return "an update is under way, the old version stands by: journalctl -fu update-taimat-install"
    with suppress(OSError, ReleaseRefused):
        brought = read((root.package / TOLD_FILE).read_bytes()).version
        if order(brought) > order(root.versions.named(CURRENT)):
            return (f"apt has brought {brought}, which was not well here: journalctl -u update-taimat-install; to try "
                    "it again: apt install --reinstall taimat")
    return ""


def _adopt(root: Root, updater: Updater, before: str, is_running: bool, *, release: Release, notes: bytes) -> str:
    versions, version = updater.versions, release.version
    proven = versions.proven()
    if proven and order(version) < order(proven) and not (before and order(before) > order(version)):
        return f"Taimat {proven} runs, and stays: it is newer than this package's {version}."
    for name in ("agent", "libraries"):
        if tree.digest(root.package / name) != getattr(release.trees, name):
            raise ReleaseRefused("not_ready", f"{root.package / name} is not as the package brought it: apt install "
                                 "--reinstall taimat")
    versions.root.mkdir(parents=True, exist_ok=True)
    demand_room(versions.root, 0)
    is_other = True
    with suppress(OSError):
        is_other = proven != version or tree.digest(versions.folder(version) / "agent") != release.trees.agent
    versions.add(release, notes, root.package)
    if proven and order(version) < order(proven):
        return _back(updater, version, proven, is_running)
    if proven and proven != version and is_running:
        updater.note_added(version, proven)
        with suppress(OSError, subprocess.SubprocessError):     # the path unit sees the note, too
            versions.run(TRY, QUICK_S)
        return (f"Taimat {version} is tried now, while {proven} stands by: taimat update show, or journalctl -fu "
                "update-taimat-install")
    _settle(updater, version)
    if is_running and is_other:
        updater.restart()
    return f"Taimat {version} is what runs here."


def _back(updater: Updater, version: str, proven: str, is_running: bool) -> str:
    """Goes back to an earlier version, if that can read the store. Returns the outcome for people."""
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
    updater.forget()
    updater.versions.point_both(version)
    updater.drop()


def _is_running(root: Root) -> bool:
    """Whether roles run on this machine. They do not while an image is built, or if they were stopped."""
    with suppress(OSError, subprocess.SubprocessError):
        if root.booted.is_dir():
            root.versions.run(IS_ACTIVE, QUICK_S)
            return True
    return False
