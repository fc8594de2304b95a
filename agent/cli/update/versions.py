"""The versions on this device: each in an environment of its own, and two names that say which one counts.

    /opt/taimat/versions/0.1.0/     whole environments
    /opt/taimat/current             the one that runs: /usr/bin/taimat leads here
    /opt/taimat/proven              the one that is known to work: it judges the other, and takes over from it
"""
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.release import DISTRIBUTION, ReleaseRefused, is_version, order
from agent.core.release import WheelRelease as Release
from agent.host.files import sync_folder

ROOT = Path("/opt/taimat")
CURRENT, PROVEN = "current", "proven"
UNFINISHED = ".unfinished"      # in an environment that is being made, or whose making was cut off
BUILD_S, READY_S = 1200.0, 180.0        # a Zero with a slow card is patient work

Run = Callable[[Sequence[str], float], None]    # command, seconds; raises OSError and subprocess.SubprocessError


@dataclass(frozen=True, slots=True)
class Versions:
    """All below `root`. Paths in an environment are absolute, so it is made where it stays."""

    run: Run
    root: Path = ROOT
    python: str = sys.executable

    def folder(self, version: str) -> Path:
        """The environment of this version."""
        return self.root / "versions" / version

    def program(self, version: str) -> str:
        """The path of this version's `taimat`."""
        return str(self.folder(version) / "bin" / "taimat")

    def whole(self) -> list[str]:
        """Versions that can be run, oldest first."""
        found = [path.name for path in (self.root / "versions").glob("*")
                 if is_version(path.name) and (path / "bin/taimat").exists() and not (path / UNFINISHED).exists()]
        return sorted(found, key=order)

    def named(self, name: str) -> str:
        """Which version `current` or `proven` is. Raises Refused where this is no installation with versions."""
        try:
            version = Path(os.readlink(self.root / name)).name
        except OSError as error:
            raise ReleaseRefused("not_ready", f"{self.root / name}: {error.strerror}; see the technician's guide for "
                                 "how Taimat is installed") from error
        if not is_version(version):
            raise ReleaseRefused("not_ready", f"{self.root / name} leads to no version: see the technician's guide")
        return version

    def point(self, name: str, version: str) -> None:
        """Have `current` or `proven` be this version, at once and for good. Raises OSError."""
        part = self.root / f".{name}"
        part.unlink(missing_ok=True)
        part.symlink_to(Path("versions", version))
        part.rename(self.root / name)
        sync_folder(self.root)

    def build(self, release: Release, wheels: Path) -> None:
        """Make the environment of this release, without any network. Raises Refused and OSError."""
        folder = self.folder(release.version)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / UNFINISHED).touch()
        # What an environment needs beside the system's packages is in the bundle, and nothing but wheels: no code of
        # theirs runs to install them. Debian's packages do not all have the names that pip would ask for.
        pip = [str(folder / "bin/python"), "-m", "pip", "--isolated", "--quiet", "--disable-pip-version-check",
               "--no-cache-dir", "install", "--no-index", "--no-deps", "--ignore-installed",
               "--no-warn-script-location"]
        try:
            self.run([self.python, "-m", "venv", "--system-site-packages", str(folder)], BUILD_S)
            self.run([*pip, *(str(wheels / name) for name in sorted(release.files))], BUILD_S)
        except subprocess.SubprocessError as error:
            raise ReleaseRefused("not_ready", f"it can't be installed here: {error}") from error
        if not (folder / "bin/taimat").exists():
            raise ReleaseRefused("bad_bundle", f"there is no {DISTRIBUTION} in it: ask its maker")
        os.sync()
        (folder / UNFINISHED).unlink()
        sync_folder(folder)

    def demand_ready(self, version: str, config: Path) -> None:
        """Have the version itself say whether it can work here. Raises Refused."""
        try:
            self.run([self.program(version), "update", "ready", version, "--config", str(config)], READY_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise ReleaseRefused("not_ready", f"{version} says that it can't work here: {error}") from error

    def keep(self, versions: Iterable[str]) -> None:
        """Remove all versions but these, the current and the proven one."""
        kept = {*versions, self.named(CURRENT), self.named(PROVEN)}
        for path in (self.root / "versions").glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
