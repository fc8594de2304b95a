"""Wheels of this checkout's distributions, as pip builds them, without a network."""
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.rigs.wait import HANG_S


@cache
def builder() -> str:
    """A Python whose setuptools makes wheels by itself; "" if there is none."""
    return next((python for python in (sys.executable, "/usr/bin/python3") if subprocess.run(
        [python, "-c", "import setuptools, sys; sys.exit(int(setuptools.__version__.split('.')[0]) < 71)"],
        capture_output=True, check=False).returncode == 0), "")


def wheel(source: Path, into: Path) -> Path:
    """The wheel of the distribution in this folder."""
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([builder(), "-c", code, into], cwd=source, check=True, capture_output=True, timeout=HANG_S)
    (made,) = into.glob("*.whl")
    return made
