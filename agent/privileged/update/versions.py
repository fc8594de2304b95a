"""The versions on this device, and two names that say which one counts.

    /opt/taimat/versions/0.1.0/     bin/taimat, agent/, release.json, libraries -> ../../libraries/DIGEST
    /opt/taimat/libraries/DIGEST/   what versions share that have the same
    /opt/taimat/current             the one that runs: /usr/bin/taimat and the units lead here
    /opt/taimat/proven              the one that is known to work: it judges the other, and takes over from it

Each folder gets its name when it is whole and written out, so what has a name can be run, wherever the power goes.
"""
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.core.release import TOLD_FILE, Release, ReleaseRefused, is_version, order
from agent.host import tree
from agent.host.files import sync_folder

ROOT = Path("/opt/taimat")
CURRENT, PROVEN = "current", "proven"
DRAFT = "draft"                 # a folder that is being made, or whose making was cut off
LAUNCHER = "cli/update/launcher.py"
READY_S = 180.0                 # a Zero with a slow card is patient work

Run = Callable[[Sequence[str], float], None]    # command, seconds; raises OSError and subprocess.SubprocessError


@dataclass(frozen=True, slots=True)
class Versions:
    """All below `root`."""

    run: Run
    root: Path = ROOT

    def folder(self, version: str) -> Path:
        return self.root / "versions" / version

    def libraries(self, digest: str) -> Path:
        return self.root / "libraries" / digest

    def program(self, version: str) -> str:
        """The path of this version's `taimat`."""
        return str(self.folder(version) / "bin" / "taimat")

    def whole(self) -> list[str]:
        """Versions that can be run, oldest first."""
        found = [path.name for path in (self.root / "versions").glob("*")
                 if is_version(path.name) and (path / "bin/taimat").exists()]
        return sorted(found, key=order)

    def named(self, name: str) -> str:
        """Which version `current` or `proven` is. Raises ReleaseRefused where this is no installation with versions."""
        try:
            version = Path(os.readlink(self.root / name)).name
        except OSError as error:
            raise ReleaseRefused("not_ready", f"{self.root / name}: {error.strerror}; the package lays it, see the "
                                 "technician's guide") from error
        if not is_version(version):
            raise ReleaseRefused("not_ready", f"{self.root / name} leads to no version: see the technician's guide")
        return version

    def proven(self) -> str | None:
        """The version that is known to work, if there is one that can be run."""
        with suppress(ReleaseRefused):
            return version if (version := self.named(PROVEN)) in self.whole() else None
        return None

    def point(self, name: str, version: str) -> None:
        """Have `current` or `proven` be this version, at once and for good. Raises OSError."""
        part = self.root / f".{name}"
        part.unlink(missing_ok=True)
        part.symlink_to(Path("versions", version))
        part.rename(self.root / name)
        sync_folder(self.root)

    def point_both(self, version: str) -> None:
        """The version first becomes what judges, then what runs. Raises OSError."""
        self.point(PROVEN, version)
        self.point(CURRENT, version)

    def lay(self, release: Release, told: bytes, source: Path) -> None:
        """Lay this version, whose folders are in `source`; its libraries may be here already.

        Raises ReleaseRefused and OSError.
        """
        digest = release.trees.libraries
        if (source / "libraries").is_dir():
            draft = self._draft()
            tree.link(source / "libraries", draft)
            _compile(draft, self.libraries(digest))
            os.sync()
            tree.put(draft, self.libraries(digest))
        draft, target = self._draft(), self.folder(release.version)
        tree.link(source / "agent", draft / "agent")
        if not _compile(draft, target):
            raise ReleaseRefused("not_ready", f"this system's Python can't read the code of {release.version}")
        (draft / TOLD_FILE).write_bytes(told)
        (draft / "libraries").symlink_to(Path("../../libraries", digest))
        (draft / "bin").mkdir()
        try:
            shutil.copyfile(draft / "agent" / LAUNCHER, draft / "bin/taimat")
        except FileNotFoundError as error:
            raise ReleaseRefused("bad_bundle", f"there is no agent/{LAUNCHER} in it: ask its maker") from error
        (draft / "bin/taimat").chmod(0o755)
        os.sync()
        tree.put(draft, target)

    def _draft(self) -> Path:
        draft = self.root / DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        return draft

    def demand_ready(self, version: str, config: Path) -> None:
        """Have the version itself say whether it can work here. Raises ReleaseRefused."""
        try:
            self.run([self.program(version), "update", "ready", version, "--config", str(config)], READY_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise ReleaseRefused("not_ready", f"{version} says that it can't work here: {error}") from error

    def keep(self, versions: Iterable[str]) -> None:
        """Remove all versions but these, the current and the proven one; and libraries that none of them has."""
        kept = {*versions, self.named(CURRENT), self.named(PROVEN)}
        shutil.rmtree(self.root / DRAFT, ignore_errors=True)
        for path in (self.root / "versions").glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
        needed = {path.resolve().name for path in (self.root / "versions").glob("*/libraries")}
        for path in (self.root / "libraries").glob("*"):
            if path.name not in needed:
                shutil.rmtree(path, ignore_errors=True)


def _compile(draft: Path, target: Path) -> bool:
    """Make the byte code of all that will lie at `target`; returns whether Python could read all of it."""
    sys.pycache_prefix = None       # beside the files, wherever this user keeps byte code otherwise
    return bool(compileall.compile_dir(draft, stripdir=str(draft), prependdir=str(target), quiet=2, force=True,
                                       invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP))
