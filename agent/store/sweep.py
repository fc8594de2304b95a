"""Compares rows and files, folder by folder: what only one side has is resolved, never guessed at, never deleted.

A cut can't make such orphans (docs/design/storage.md);
a lost database, a file system repair or a person with a card reader can.
"""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.core.evidence.encrypted import DamagedError, FileKey, LockedError
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import read_head
from agent.core.media.mp4.salvage import salvage
from agent.host.clock import Instant
from agent.store import announce, clips
from agent.store.clip_recovery import complete
from agent.store.database import transaction
from agent.store.encryption.clear_file import day_of, open_clear
from agent.store.folders import Folders
from agent.store.names import CLIPS_A_FOLDER, FOLDER, OURS, PART

_log = logging.getLogger(__name__)


def sweep(db: sqlite3.Connection, folders: Folders, now: Instant, file_key: FileKey) -> tuple[int, int]:
    """Adopt files without a row, and mark rows whose file is gone; returns how many of each.

    `file_key` opens encrypted ones. Raises OSError and sqlite3.Error.
    """
    for part in _strays(db, folders, PART):
        _complete(db, part)
    adopted = sum(_adopt(db, path, now, file_key) for path in _strays(db, folders))
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


def _strays(db: sqlite3.Connection, folders: Folders, ending: str = "") -> Iterator[Path]:
    """Finished files of ours that no row knows, or unfinished ones, by their `ending`.

    Anything not named as ours is somebody else's and left alone.
    """
    ours = (entry.name for entry in os.scandir(folders.clips) if FOLDER.match(entry.name) and entry.is_dir())
    for folder in sorted(ours):
        known = _rows_in(db, int(folder))
        for entry in os.scandir(folders.clips / folder):
            match = OURS.match(entry.name.removesuffix(ending)) if entry.name.endswith(ending) else None
            if (match and int(match["seq"]) // CLIPS_A_FOLDER == int(folder)
                    and match[0].removesuffix(".mp4") not in known):
                yield Path(entry.path)


def _complete(db: sqlite3.Connection, part: Path) -> None:
    """Finish a clip that was being written when its row was lost; one that still is has its lock, and a row."""
    final = part.with_suffix("")
    try:
        if clips.get(db, final.stem) is None:
            complete(part, final)
    except BlockingIOError:
        return
    except (Mp4Error, DamagedError, OSError) as error:
        _log.warning("%s: no row and nothing whole in it (%s); left alone", part, error)


def _adopt(db: sqlite3.Connection, path: Path, now: Instant, file_key: FileKey) -> bool:
    """Make a row for a file whose row is lost; its own head tells when it was and what is in it."""
    match = OURS.match(path.name)
    assert match is not None
    seq = int(match["seq"])
    if db.execute("SELECT 1 FROM clip WHERE seq = ?", (seq,)).fetchone():
        _log.warning("%s: another clip has its number; left alone", path)
        return False
    try:
        day_key = day_of(path)
        with contextlib.closing(open_clear(path, file_key)) as file:
            plan, kept = read_head(file.read_at).plan, salvage(file.read_at)
    except (Mp4Error, DamagedError, LockedError) as error:
        _log.warning("%s: no row and nothing whole in it (%s); left alone", path, error)
        return False
    with transaction(db):
        clips.adopt(db, seq, path.stem, match["camera"], plan.wall_s * 1000, plan.stream,
                    kept.duration_us // 1000, path.stat().st_size if day_key else kept.size_b, kept.frames_n, day_key)
    _log.warning("%s: its row was lost; adopted", path)
    return True


def _missing(db: sqlite3.Connection, folders: Folders) -> Iterator[int]:
    """Finished rows whose file is not there."""
    for row in db.execute(f"SELECT seq, name FROM clip WHERE {clips.FINISHED} ORDER BY seq"):
        if not folders.clip(row["seq"], row["name"]).exists():
            yield row["seq"]
