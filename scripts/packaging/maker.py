"""What scripts/package does with a checkout; tests call it with versions of their own."""
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
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

    def recorder(self, architecture: str) -> dict[str, bytes]:
        """The recorder's package and, with a signer, the light release; by file name. Raises NoWheel and NoWeights."""
        package = recorder.build(self.source, architecture, wheels.fetched(architecture), weights.fetched(),
                                 self.version, self.moment_s, self.signer)
        made = {package.file: deb(package, self.moment_s, self.is_fast)}
        if self.signer:
            made[f"{package.file.removesuffix('.deb')}.update"] = recorder.light(package, self.moment_s, self.is_fast)
        return made

    def board(self) -> dict[str, bytes]:
        """The board's package, by file name."""
        return self._packed(board.build(self.source, self.version, self.moment_s))

    def ward(self) -> dict[str, bytes]:
        """The package of a ward's machine, by file name."""
        return self._packed(ward.build(self.source, self.version, self.moment_s))

    def _packed(self, package: Package) -> dict[str, bytes]:
        return {package.file: deb(package, self.moment_s, self.is_fast)}


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
