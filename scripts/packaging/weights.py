"""The weights by which events are named: out of a package of npm's, pinned by their hash, kept in the cache.

    python3 -m scripts.packaging.weights     prints the folder that is to lie on Python's path

MediaPipe's Objectron finds its objects by a detector of its own, an SSD MobileNetV2 for 24 classes of Open Images V4,
half precision, under the Apache License 2.0. It lies among the package's assets; a script beside them says where.
"""
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from agent.host.weights import FILE, FOLDER
from scripts.packaging import npm
from scripts.packaging.wheels import NoWheel, cache

PACKAGE = "@mediapipe/objectron@0.4.1675468480"
ASSETS, TABLE = "package/objectron_solution_packed_assets.data", "package/objectron_solution_packed_assets_loader.js"
NAME = "object_detection_ssd_mobilenetv2_oidv4_fp16.tflite"
SHA256 = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"


class NoWeights(NoWheel):
    """The weights can't be had; the text says why."""


def fetched() -> Path:
    """The folder that is to lie on Python's path. Raises NoWeights."""
    folder = cache() / f"weights-{SHA256[:12]}"
    file = folder / FOLDER / FILE
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            part = Path(place, FILE)
            part.write_bytes(_extracted(_packed(Path(place))))
            part.rename(file)
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise NoWeights(f"{file} is damaged: remove it")
    return folder


def _packed(place: Path) -> Path:
    """Have npm fetch the package into `place`, without installing it. Raises NoWeights."""
    try:
        with npm.environment() as variables:
            done = subprocess.run(["npm", "pack", "--silent", "--pack-destination", place, PACKAGE],
                                  capture_output=True, text=True, env=variables)
    except NoWheel as error:
        raise NoWeights(str(error)) from None
    if done.returncode:
        raise NoWeights(f"npm could not fetch {PACKAGE}: {done.stderr.strip()}")
    return place / done.stdout.split()[-1]


def _extracted(package: Path) -> bytes:
    """The model out of the package. Raises NoWeights."""
    with tarfile.open(package) as files:
        table, assets = files.extractfile(TABLE).read().decode(), files.extractfile(ASSETS).read()
    found = re.search(rf'"filename": "[^"]*/{re.escape(NAME)}", "start": (\d+), "end": (\d+)', table)
    data = assets[int(found[1]):int(found[2])] if found else b""
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise NoWeights(f"{PACKAGE} has other weights than those that are pinned here")
    return data


def main() -> int:
    """Print the folder. Returns the exit code."""
    try:
        print(fetched())
    except (NoWeights, OSError) as error:
        print(f"events get no labels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
