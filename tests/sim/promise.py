"""What the device has promised at some moment: all that was committed then, read from the files as they were."""
import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.store import ledger
from agent.store.database import FILE
from agent.store.folders import Folders
from tests.sim.card import Image

FINISHED, GOING = ("done", "recovered"), ("deleting", "deleted")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """Rows by their keys, and the digests of finished clips' files."""

    clips: dict[int, Row] = field(default_factory=dict)
    events: dict[int, Row] = field(default_factory=dict)
    outbox: dict[int, Row] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)
    heads: dict[int, str] = field(default_factory=dict)         # of the ledger, as the health report tells them


def lay_out(image: Image, folder: Path) -> Folders:
    """Make the files of a card; `folder` is not there yet."""
    for path, content in image.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
    return Folders(folder)


def read(folders: Folders) -> Promise:
    """What the store in this folder holds; nothing if it is not made yet."""
    path = folders.root / FILE
    if not path.exists():
        return Promise()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            return Promise()
        rows = {table: {row[key]: dict(row) for row in db.execute(f"SELECT * FROM {table}")}
                for table, key in (("clip", "seq"), ("event", "id"), ("outbox", "seq"))}
        head = ledger.head(db)
    files = {seq: digest(folders.clip(seq, row["name"])) for seq, row in rows["clip"].items()
             if row["state"] in FINISHED}
    return Promise(rows["clip"], rows["event"], rows["outbox"], files, {head.n: head.hash.hex()} if head.n else {})


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dump(folders: Folders) -> tuple[list[str], dict[str, str]]:
    """All rows of a store as SQL, and all its files by their digests."""
    with contextlib.closing(sqlite3.connect(folders.root / FILE)) as db:
        rows = list(db.iterdump())
    files = {str(path): digest(path) for path in folders.root.rglob("*") if path.is_file() and FILE not in path.name}
    return rows, files
