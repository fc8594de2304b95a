"""A database as a failing card leaves it: pages of it hold something else."""
import contextlib
import os
import sqlite3

import pytest

from agent.store.database import FILE, connect
from agent.store.folders import Folders

OTHER = b"\xa5"


def pages(folders: Folders, table: str) -> list[int]:
    """The pages that hold a table's rows; skips the test where this SQLite does not tell."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        try:
            return [row[0] for row in db.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,))]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell where its pages are (dbstat)")


def spoil(folders: Folders, *numbers: int) -> None:
    """Write over these pages, with nothing of them left in the log."""
    with contextlib.closing(connect(folders.root)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_b = db.execute("PRAGMA page_size").fetchone()[0]
    handle = os.open(folders.root / FILE, os.O_WRONLY)
    for number in numbers:
        os.pwrite(handle, OTHER * page_b, (number - 1) * page_b)
    os.close(handle)
