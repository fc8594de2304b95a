"""A process that holds the recorder's database for a test: `python -m tests.rigs.store.holder FILE writer|reader`.

The writer has begun a transaction; the reader may only read, and has a lock on the byte by which SQLite knows a writer.
"""
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from agent.store.database import FILE
from agent.store.distrust import WRITERS_BYTE

ROOT = Path(__file__).parents[3]


class Holder:
    """Holds it once it is made, until `let_go`; a context manager."""

    def __init__(self, store: Path, way: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", __name__, store / FILE, way], cwd=ROOT,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        assert self._process.stdout is not None and self._process.stdout.readline() == b"held\n"

    def let_go(self) -> None:
        """End it; harmless when repeated."""
        self._process.communicate()

    def __enter__(self) -> "Holder":
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()


def main(path: str, way: str) -> None:
    """Until the end of stdin."""
    if way == "writer":
        db = sqlite3.connect(path, isolation_level=None, timeout=60)
        db.execute("BEGIN IMMEDIATE")
    else:
        fcntl.lockf(os.open(f"{path}-shm", os.O_RDONLY), fcntl.LOCK_SH, 1, WRITERS_BYTE)
    print("held", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
