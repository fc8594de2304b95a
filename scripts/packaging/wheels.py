"""The two libraries that a package brings itself: their wheels, pinned by requirements.lock, kept in the cache.

Debian has both, too, and with them 400 packages and 270 MB that a recorder never uses.
"""
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
LOCK = REPO / "requirements.lock"
NAMES = ("av", "opencv-python-headless")
PYTHON = "3.13"                                         # Debian 13's
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}      # what Debian and Python call a processor
PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


class NoWheel(Exception):
    """A wheel can't be had; the text says why."""


def section(name: str) -> dict[str, str]:
    """Of each package in a section of requirements.lock ("run", "ward", "test") its lines."""
    found = re.search(rf"^# section: {name}\n(.*?)(?=^# section: |\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    blocks = re.split(r"^(?=\w)", found[1], flags=re.MULTILINE) if found else []
    return {block.split("==")[0]: block for block in blocks if "==" in block}


def cache() -> Path:
    """Where wheels and packages are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taimat"


def fetched(architecture: str) -> list[Path]:
    """The wheels for one of Debian's architectures, each with a pinned hash. Raises NoWheel."""
    wanted = "".join(section("run")[name] for name in NAMES)
    folder = cache() / "wheels" / f"{architecture}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent))
        download(wanted, architecture, part)
        for old in folder.parent.glob(f"{architecture}-*"):        # of an earlier requirements.lock
            shutil.rmtree(old, ignore_errors=True)
        part.rename(folder)
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        if hashlib.sha256(wheel.read_bytes()).hexdigest() not in wanted:
            raise NoWheel(f"{wheel} is damaged: remove its folder")
    return wheels


def download(wanted: str, architecture: str, into: Path) -> None:
    """Have pip fetch them by platform tag, whatever this machine is. Raises NoWheel."""
    pins = into / "pins"
    pins.write_text(wanted)
    platforms = [f"--platform={name}_{MACHINES[architecture]}" for name in PLATFORMS]
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run([
            *pip(place), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
            "--only-binary=:all:", "--require-hashes", f"--python-version={PYTHON}", *platforms, f"--dest={into}",
            f"--requirement={pins}"], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(into)
        raise NoWheel(f"pip could not fetch the wheels for {architecture}: {done.stderr.strip()}")


def pip(place: str) -> list[str | Path]:
    """The command `pip`. Debian splits it off Python; then it is taken out of its package, into the folder `place`."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    script = 'source "$0"; find_pip "$1" "$2/pip" && shift 2 && "${pip[@]}" "$@"'
    return ["bash", "-c", script, REPO / "scripts/python-environment", sys.executable, place]
