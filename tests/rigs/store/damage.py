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


def spoil_row(folders: Folders, table: str, column: str, to: str, which: int = -1) -> None:
    """Have a row of a closed database hold `to`, an expression in SQL, whatever its table demands.

    `which` counts the rows as they lie. Raises sqlite3.Error where not even SQLite takes it.
    """
    path = folders.root / FILE

    def declare(sql: str) -> str:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            was = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql or _lax(was), table))
        return was

    strict = declare("")
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            key = "rowid" if "WITHOUT ROWID" not in strict else db.execute(
                "SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)).fetchone()[0]
            row = db.execute(f"SELECT {key} FROM {table}").fetchall()[which]
            db.execute(f"UPDATE {table} SET {column} = {to} WHERE {key} = ?", tuple(row))
    finally:
        declare(strict)


def _lax(sql: str) -> str:
    """The table's statement without what it demands of its columns."""
    return sql.replace(" STRICT,", "").replace(" STRICT", "").replace(" NOT NULL", "")
