"""What scripts/package and scripts/release do with a checkout; tests call it with versions of their own."""
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from scripts.packaging import board, recorder, ward, weights, wheels
from scripts.packaging.deb import Package, deb

if TYPE_CHECKING:
    from scripts.packaging.signer import Signer


class NoMoment(Exception):
    """It is not known what time the files should bear."""


class NoKey(Exception):
    """A file has no key that signs releases; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """All that decides about the bits of the packages."""

    source: Path
    version: str
    moment_s: int                           # of all files, UTC
    signer: "Signer | None" = None          # without one, a package is for apt alone
    is_fast: bool = False

    def packages(self, architectures: Iterable[str]) -> dict[str, bytes]:
        """All packages and light releases, by file name. Raises NoWheel and NoWeights."""
        with ThreadPoolExecutor() as threads:
            made = [*threads.map(self.recorder, architectures), self.board(), self.ward()]
        return {name: data for each in made for name, data in each.items()}

    def recorder(self, architecture: str) -> dict[str, bytes]:
        """The recorder's package and, with a signer, the light release; by file name. Raises NoWheel and NoWeights."""
        package = self.package(architecture)
        made = {package.file: deb(package, self.moment_s, self.is_fast)}
        if self.signer:
            made[f"{package.file.removesuffix('.deb')}.update"] = recorder.light(package, self.moment_s, self.is_fast)
        return made

    def package(self, architecture: str) -> Package:
        """The recorder's package before it is packed. Raises NoWheel and NoWeights."""
        return recorder.build(self.source, architecture, wheels.fetched(architecture), weights.fetched(),
                              self.version, self.moment_s, self.signer)

    def board(self) -> dict[str, bytes]:
        """The board's package, by file name."""
        return self._packed(board.build(self.source, self.version, self.moment_s))

    def ward(self) -> dict[str, bytes]:
        """The package of a ward's machine, by file name."""
        return self._packed(ward.build(self.source, self.version, self.moment_s))

    def _packed(self, package: Package) -> dict[str, bytes]:
        return {package.file: deb(package, self.moment_s, self.is_fast)}


def recipe(source: Path, key: Path | None, is_fast: bool) -> Recipe:
    """The recipe for this checkout as it is, signed by the key in that file. Raises NoKey and NoMoment."""
    now_s = moment_s(source)
    return Recipe(source, version(source), now_s, signing().read(key, now_s) if key else None, is_fast)


def signing() -> ModuleType:
    """The part that needs further libraries; ends the program where they are missing."""
    try:
        from scripts.packaging import signer
    except ImportError as error:
        sys.exit(f"signing a release needs {error.name}, which is not installed; on Debian: "
                 "sudo apt install python3-cryptography python3-msgspec")
    return signer


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write these files there, and print what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        print(f"{folder / name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def sums(folder: Path, names: Iterable[str]) -> bytes:
    """The list by which `sha256sum --check` looks at these files."""
    lines = []
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode()


def version(source: Path) -> str:
    """The version of a checkout."""
    return re.search(r'^__version__ = "(.+)"$', (source / "agent/__init__.py").read_text(), re.MULTILINE)[1]


def moment_s(source: Path) -> int:
    """SOURCE_DATE_EPOCH, or the time of the last commit. Raises NoMoment."""
    if wish := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(wish)
    asked = subprocess.run(["git", "-C", source, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    if asked.returncode:
        raise NoMoment("this is no checkout of git: set SOURCE_DATE_EPOCH, the time that the files shall bear")
    return int(asked.stdout)
