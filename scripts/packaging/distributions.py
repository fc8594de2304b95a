"""Wheels of this checkout's distributions, as pip builds them, without a network; the same bytes each time."""
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from scripts.packaging.wheels import NoWheel

NEEDED = ("setup.cfg", "pyproject.toml", "README.md", "agent", "scripts/conformance", "scripts/packaging")
DISTRIBUTIONS = ("", "agent/ward", "scripts/conformance")
READABLE, OPEN = 0o644, 0o755
LIMIT_S = 300


@cache
def builder() -> str:
    """A Python whose setuptools makes wheels by itself; "" if there is none."""
    return next((python for python in (sys.executable, "/usr/bin/python3") if shutil.which(python) and subprocess.run(
        [python, "-c", "import setuptools, sys; sys.exit(int(setuptools.__version__.split('.')[0]) < 71)"],
        capture_output=True, check=False).returncode == 0), "")


def wheel(source: Path, into: Path, moment_s: int | None = None) -> Path:
    """The wheel of the distribution in this folder, which the builder also writes to. Raises NoWheel."""
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    epoch = {} if moment_s is None else {"SOURCE_DATE_EPOCH": str(moment_s)}
    done = subprocess.run([builder(), "-c", code, into], cwd=source, capture_output=True, text=True, timeout=LIMIT_S,
                          umask=0o022, env=os.environ | epoch)
    if done.returncode:
        raise NoWheel(f"{source}: no wheel can be built: {done.stderr.strip()}")
    (made,) = into.glob("*.whl")
    return made


def built(source: Path, moment_s: int) -> dict[str, bytes]:
    """The wheels of recorder, ward and conformance check, by file name. Raises NoWheel."""
    if not builder():
        raise NoWheel("wheels need setuptools 71 or newer; on Debian: sudo apt install python3-setuptools")
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for name in NEEDED:
            _copy(source / name, Path(place, "source", name))
        for number, name in enumerate(DISTRIBUTIONS):
            made = wheel(Path(place, "source", name), Path(place, str(number)), moment_s)
            found[made.name] = made.read_bytes()
    return found


def _copy(path: Path, target: Path) -> None:
    """With rights that do not depend on this machine's umask."""
    if path.is_dir():
        without = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(path, target, ignore=without, copy_function=_copy_file)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(str(path), str(target))


def _copy_file(path: str, target: str) -> None:
    shutil.copyfile(path, target)
    os.chmod(target, OPEN if os.access(path, os.X_OK) and not path.endswith(".py") else READABLE)
