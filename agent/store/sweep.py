"""Compares rows and files, folder by folder: what only one side has is resolved, never guessed at, never deleted.

A cut can't make such orphans (docs/design/storage.md);
a lost database, a file system repair or a person with a card reader can.
"""
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.read import read_head
from agent.core.mp4.salvage import salvage
from agent.host.clock import Instant
from agent.store import announce, clips
from agent.store.database import transaction
from agent.store.folders import CLIPS_A_FOLDER, Folders

OURS = re.compile(r"^(?P<camera>[a-z0-9][a-z0-9-]*)-(?P<boot>[0-9a-f]{8})-(?P<seq>[0-9]{6,12})\.mp4\Z")
FOLDER = re.compile(r"^[0-9]{6}\Z")

_log = logging.getLogger(__name__)


def sweep(db: sqlite3.Connection, folders: Folders, now: Instant) -> tuple[int, int]:
    """Adopt files without a row, and mark rows whose file is gone; returns how many of each.

    Raises OSError and sqlite3.Error.
    """
    adopted = sum(_adopt(db, path, now) for path in _strays(db, folders))
    missing = list(_missing(db, folders))
    if missing:
        with transaction(db):
            for seq in missing:
                clips.lose(db, seq, "its file is gone from the card")
            announce.storage(db, now, "clips_missing", over=False,
                             detail="clips vanished from the card; was it in another computer?", lost_n=len(missing))
        _log.error("%d clips are gone from the card", len(missing))
    return adopted, len(missing)


def _rows_in(db: sqlite3.Connection, folder: int) -> dict[str, tuple[int, str]]:
    """Names of the rows that belong into a folder, with their seq and state."""
    first = folder * CLIPS_A_FOLDER
    rows = db.execute("SELECT seq, name, state FROM clip WHERE seq BETWEEN ? AND ?",
                      (first, first + CLIPS_A_FOLDER - 1))
    return {row["name"]: (row["seq"], row["state"]) for row in rows}


def _strays(db: sqlite3.Connection, folders: Folders) -> Iterator[Path]:
    """Finished files of ours that no row knows; anything not named as ours is somebody else's and left alone."""
    ours = (entry.name for entry in os.scandir(folders.clips) if FOLDER.match(entry.name) and entry.is_dir())
    for folder in sorted(ours):
        known = _rows_in(db, int(folder))
        for entry in os.scandir(folders.clips / folder):
            match = OURS.match(entry.name)
            if (match and int(match["seq"]) // CLIPS_A_FOLDER == int(folder)
                    and entry.name.removesuffix(".mp4") not in known):
                yield Path(entry.path)


def _adopt(db: sqlite3.Connection, path: Path, now: Instant) -> bool:
    """Make a row for a file whose row is lost; its own head tells when it was and what is in it."""
    match = OURS.match(path.name)
    assert match is not None
    seq = int(match["seq"])
    if db.execute("SELECT 1 FROM clip WHERE seq = ?", (seq,)).fetchone():
        _log.warning("%s: another clip has its number; left alone", path)
        return False
    try:
        with path.open("rb") as file:
            def read_at(offset: int, size: int) -> bytes:
                return os.pread(file.fileno(), size, offset)
            plan, kept = read_head(read_at).plan, salvage(read_at)
    except Mp4Error as error:
        _log.warning("%s: no row and nothing whole in it (%s); left alone", path, error)
        return False
    with transaction(db):
        clips.adopt(db, seq, path.stem, match["camera"], plan.wall_s * 1000, plan.stream,
                    kept.duration_us // 1000, kept.size_b, kept.frames_n)
    _log.warning("%s: its row was lost; adopted", path)
    return True


def _missing(db: sqlite3.Connection, folders: Folders) -> Iterator[int]:
    """Finished rows whose file is not there."""
    for row in db.execute(f"SELECT seq, name FROM clip WHERE {clips.FINISHED} ORDER BY seq"):
        if not folders.clip(row["seq"], row["name"]).exists():
            yield row["seq"]
