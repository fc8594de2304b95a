"""A copy of the damaged database, which may be worked on: bad blocks are zeros in it, and its schema is put right.

Every database of ours is made by the same statements in the same order, so its schema lies in the same pages. Where
those are damaged, nobody could tell which page is of which table; they are taken from a database that was just made.
"""
import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path

from agent.store.database import PAGE_B, StoreError

COPY_WITHIN_S = 600
UNREAD_N_MAX = 64           # blocks of 4 KB
HEADER_B = 100
WAL = "-wal"
# What a header of ours begins with, but for a counter in between: magic, page size, WAL mode, no reserve, fractions.
MAGIC = b"SQLite format 3\0" + PAGE_B.to_bytes(2) + bytes((2, 2, 0, 64, 32, 32))
PAGES_N_AT = 28


def copy(source: Path, target: Path) -> None:
    """Copy the file and its log, by another process: closing a file here would give up this process's locks on it.

    Raises SubprocessError and OSError, and StoreError where more than a few blocks can't be read: then it is the card
    that fails.
    """
    for side in ("", WAL):
        if os.path.exists(f"{source}{side}"):
            done = subprocess.run(["dd", f"if={source}{side}", f"of={target}{side}", "bs=4096",
                                   "conv=noerror,sync,excl", "iflag=nofollow,nonblock", "status=noxfer"],
                                  check=True, timeout=COPY_WITHIN_S, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  env={**os.environ, "LC_ALL": "C"})
            if (unread_n := done.stderr.count(b"error reading")) > UNREAD_N_MAX:
                raise StoreError(f"{source}{side}: {unread_n} blocks of it can't be read: replace the card")


def restore_schema(damaged: Path, fresh: Path, roots: dict[str, int]) -> None:
    """Give the schema's pages back, if they can't be read; `roots` are the pages where the tables of `fresh` begin.

    Raises OSError.
    """
    if _names(damaged) >= roots.keys():
        return
    pages = fresh.read_bytes()
    with damaged.open("r+b") as file:
        header = file.read(HEADER_B)
        if header[:16] == MAGIC[:16] and header[16:18] != MAGIC[16:18]:
            return                          # its pages are of another size, and lie elsewhere
        for number in set(range(1, len(pages) // PAGE_B + 1)) - set(roots.values()):
            file.seek((number - 1) * PAGE_B)
            file.write(pages[(number - 1) * PAGE_B:number * PAGE_B])
        file.seek(PAGES_N_AT)
        file.write(bytes(4))                # unknown: a log tells of fewer than were copied by whole blocks
        if header.startswith(MAGIC):        # it knows which pages are free
            file.seek(0)
            file.write(header)


def _names(path: Path) -> set[str]:
    """The tables and indexes that it says it has; none where that can't be read."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            return {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return set()
