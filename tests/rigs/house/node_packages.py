"""Packages of Node that tests run: fetched once by npm into the tests' cache, never into this repository."""
import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.packaging import npm
from scripts.packaging.wheels import NoWheel, section
from tests.rigs.wait import HANG_S

CACHE = Path.home() / ".cache" / "taimat"


def installed(name: str, versions: Mapping[str, str]) -> Path:
    """The folder `name` with these packages beneath node_modules; skips the test where they can't be had."""
    place = CACHE / "-".join([name, *versions.values()])
    if not all((place / "node_modules" / each).is_dir() for each in versions):
        place.mkdir(parents=True, exist_ok=True)
        packages = [f"{each}@{version}" for each, version in versions.items()]
        found = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", place, *packages],
                               capture_output=True, text=True, timeout=HANG_S, env=environment())
        if found.returncode:
            pytest.skip(f"npm can't install {packages}: {found.stderr.splitlines()[-1:]}")
    return place


def environment() -> Mapping[str, str]:
    """Variables for a process that starts `npm` or `node`; skips the test where neither is here nor can be had."""
    if shutil.which("npm") and shutil.which("node"):
        return os.environ
    CACHE.mkdir(parents=True, exist_ok=True)
    place = CACHE / "npm"
    with open(CACHE / "npm.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                # other workers look for it, too
        pinned = "".join(section("npm").values())
        if not (ready := place / "ready").exists() or ready.read_text() != pinned:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            try:
                npm.fetch(place)
            except NoWheel as error:
                pytest.skip(str(error))
            ready.write_text(pinned)
    return npm.variables(place)
