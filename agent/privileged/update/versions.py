"""The installed versions, and the two names that say which one runs.

    /opt/taimat/versions/0.1.0/     bin/taimat, agent/, release.json, libraries -> ../../libraries/DIGEST
    /opt/taimat/libraries/DIGEST/   shared by the versions that need the same ones
    /opt/taimat/current             the one that runs: /usr/bin/taimat and the units lead here
    /opt/taimat/proven              the one that is known to work: it judges the other, and takes over from it

A folder gets its name only when it is complete and flushed, so every named version can run after a power cut.
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
DRAFT = "draft"                 # an unfinished folder
LAUNCHER = "cli/update/launcher.py"
READY_S = 180.0                 # for a Zero with a slow card

Run = Callable[[Sequence[str], float], None]    # command, seconds; raises OSError and subprocess.SubprocessError


@dataclass(frozen=True, slots=True)
class Versions:
    """The folders of all versions below `root`."""

    run: Run
    root: Path = ROOT

    def folder(self, version: str) -> Path:
        return self.root / "versions" / version

    def libraries(self, digest: str) -> Path:
        return self.root / "libraries" / digest

    def program(self, version: str) -> str:
        return str(self.folder(version) / "bin" / "taimat")

    def whole(self) -> list[str]:
        found = [path.name for path in (self.root / "versions").glob("*")
                 if is_version(path.name) and (path / "bin/taimat").exists()]
        return sorted(found, key=order)

    def named(self, name: str) -> str:
        """Returns the version that `current` or `proven` leads to. Raises ReleaseRefused."""
        try:
            version = Path(os.readlink(self.root / name)).name
        except OSError as error:
            raise ReleaseRefused("not_ready", f"{self.root / name}: {error.strerror}; the package makes it, see the "
                                 "technician's guide") from error
        if not is_version(version):
            raise ReleaseRefused("not_ready", f"{self.root / name} leads to no version: see the technician's guide")
        return version

    def proven(self) -> str | None:
        with suppress(ReleaseRefused):
            return version if (version := self.named(PROVEN)) in self.whole() else None
        return None

    def point(self, name: str, version: str) -> None:
        """Points `current` or `proven` to this version, atomically and durably. Raises OSError."""
        part = self.root / f".{name}"
        part.unlink(missing_ok=True)
        part.symlink_to(Path("versions", version))
        part.rename(self.root / name)
        sync_folder(self.root)

    def point_both(self, version: str) -> None:
        """Makes the version the proven one, then the current one. Raises OSError."""
        self.point(PROVEN, version)
        self.point(CURRENT, version)

    def add(self, release: Release, notes: bytes, source: Path) -> None:
        """Installs the version in `source`, perhaps without its libraries. Raises ReleaseRefused and OSError."""
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
        (draft / TOLD_FILE).write_bytes(notes)
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
        """Asks the version itself whether it can work here. Raises ReleaseRefused."""
        try:
            self.run([self.program(version), "update", "ready", version, "--config", str(config)], READY_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise ReleaseRefused("not_ready", f"{version} says that it can't work here: {error}") from error

    def keep(self, versions: Iterable[str]) -> None:
        """Removes all versions but these, the current and the proven one, and the libraries that none of them needs."""
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
    """Compiles the byte code for the later place `target`; returns whether Python could read every file."""
    sys.pycache_prefix = None       # beside the files, even if this user keeps byte code elsewhere
    return bool(compileall.compile_dir(draft, stripdir=str(draft), prependdir=str(target), quiet=2, force=True,
                                       invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP))
