"""Packages of Node that tests run: fetched once by npm into the tests' cache, never into this repository."""
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S

CACHE = Path.home() / ".cache" / "taimat"


def installed(name: str, versions: Mapping[str, str]) -> Path:
    """The folder `name` with these packages beneath node_modules; skips the test where they can't be had."""
    place = CACHE / "-".join([name, *versions.values()])
    if not shutil.which("npm"):
        pytest.skip("no npm: apt install npm")
    if not all((place / "node_modules" / each).is_dir() for each in versions):
        place.mkdir(parents=True, exist_ok=True)
        packages = [f"{each}@{version}" for each, version in versions.items()]
        found = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", place, *packages],
                               capture_output=True, text=True, timeout=HANG_S)
        if found.returncode:
            pytest.skip(f"npm can't install {packages}: {found.stderr.splitlines()[-1:]}")
    return place
