#!/usr/bin/python3 -P
"""`bin/taimat` of a version: a copy of this file, which runs the version whose folder it lies in.

It stands alone, for it is what knows where all else is. What it starts runs the same version, also when another name
leads elsewhere meanwhile; and no module is taken from where somebody happens to stand.
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
