"""A database as a failing card leaves it: pages of it hold something else."""
import contextlib
import os
import sqlite3
from collections.abc import Callable

import pytest

from agent.store.database import FILE, connect
from agent.store.folders import Folders

OTHER = b"\xa5"


def pages(folders: Folders, table: str) -> list[int]:
    """The pages that hold a table's rows; skips the test where this SQLite does not tell."""
    return list(rows_by_page(folders, table))


def rows_by_page(folders: Folders, table: str) -> dict[int, int]:
    """How many of a table's rows each of these pages holds."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        try:
            return dict(db.execute(
                "SELECT pageno, ncell FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)).fetchall())
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell where its pages are (dbstat)")


def all_pages(folders: Folders) -> range:
    """Every page that the database has."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        return range(1, db.execute("PRAGMA page_count").fetchone()[0] + 1)


def root_of(folders: Folders, table: str) -> int:
    """The page where a table begins."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        return db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]


def spoil(folders: Folders, *numbers: int, other: Callable[[int], bytes] = lambda size_b: OTHER * size_b) -> None:
    """Write over these pages, with nothing of them left in the log."""
    with contextlib.closing(connect(folders.root)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_b = db.execute("PRAGMA page_size").fetchone()[0]
    handle = os.open(folders.root / FILE, os.O_WRONLY)
    for number in numbers:
        os.pwrite(handle, other(page_b), (number - 1) * page_b)
    os.close(handle)
