#!/usr/bin/python3 -P
"""`bin/taimat` of a version is a copy of this file. It runs the version in whose folder it is.

It imports nothing of ours, because it sets the path to that. Its child processes run the same version, even if
`current` points elsewhere meanwhile, and import no module from the working folder.
"""
import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[1]
    places = [str(folder), str(folder / "libraries")]
    sys.path[:0] = places
    os.environ["PYTHONPATH"], os.environ["PYTHONSAFEPATH"] = os.pathsep.join(places), "1"
    runpy.run_module("agent", run_name="__main__")
