"""The weights by which events are named, on a machine without npm."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.packaging import weights
from tests.rigs.wait import HANG_S

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Variables of a user with an empty cache, and with each of this machine's programs but npm and Node."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in map(Path, ("/usr/local/bin", "/usr/bin", "/bin")):
        for program in folder.glob("*"):
            if program.name not in ("npm", "npx", "node", "nodejs") and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    return os.environ | {"PATH": str(programs), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}


def fetch(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "scripts.packaging.weights"], cwd=REPO, env=variables,
                          capture_output=True, text=True, timeout=HANG_S)


def test_without_npm_and_without_internet_it_says_what_lacks_and_leaves_nothing(bare: dict[str, str], tmp_path: Path):
    (nothing := tmp_path / "nothing").mkdir()
    done = fetch(bare | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(nothing)})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("events get no labels: npm is not here, and pip could not fetch it: ")
    assert done.stderr.endswith("On Debian: sudo apt install npm\n")
    assert not list(tmp_path.glob("taimat-npm-*")) and not list((tmp_path / "cache").rglob("*.tflite"))


@pytest.mark.thorough
def test_without_npm_pip_brings_one_that_is_gone_when_the_weights_are_here(bare: dict[str, str], tmp_path: Path):
    done = fetch(bare)
    assert done.returncode == 0, done.stderr
    assert list(Path(done.stdout.strip()).rglob(weights.FILE)) and not list(tmp_path.glob("taimat-npm-*"))
    assert not shutil.which("npm", path=bare["PATH"])
