"""Compares rows and files, folder by folder: adopts files without a row, marks rows without a file, deletes nothing.

A lost database, a file system repair or a card reader can cause that, and a power cut while the database was held.
"""
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from agent.core.evidence.encrypted import DamagedError, FileKey, LockedError
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.read import read_head
from agent.core.media.mp4.salvage import salvage
from agent.host.clock import Instant
from agent.host.files import is_plain
from agent.store import announce, boots, clips, meta, numbers
from agent.store.clip_recovery import UNREADABLE, Unwritable, complete
from agent.store.database import FOLDER as DATABASE
from agent.store.database import transaction
from agent.store.encryption.clear_file import day_of, open_clear
from agent.store.folders import Folders
from agent.store.names import CLIPS_A_FOLDER, OURS, PART, clip_folders

LINKS = "strange_links"     # in meta: the last report of them
LINKS_MAX = 100             # per folder

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sweep:
    """One walk over all files and rows, in steps, with a key for encrypted files. After an error it is over."""

    db: sqlite3.Connection
    folders: Folders
    file_key: FileKey
    adopted_n: int = 0          # files that had no row
    missing_n: int = 0          # rows that had no file
    being_written_n: int = 0    # our files without a row that a recorder still writes: their database was lost
    links: list[str] = field(default_factory=list)      # links in the store; we follow none
    _steps: Iterator[None] = field(init=False)
    _now: Instant = field(init=False)

    def __post_init__(self) -> None:
        self._steps = self._walk()

    def go_on(self, now: Instant, enough: Callable[[], bool] = lambda: False) -> bool:
        """Continues until `enough`; returns whether the walk has ended. Raises OSError and sqlite3.Error."""
        missing_n, self._now = self.missing_n, now
        ended = all(not enough() for _ in self._steps)
        if self.missing_n > missing_n:
            with transaction(self.db):
                announce.storage(self.db, now, "clips_missing", over=False, lost_n=self.missing_n - missing_n,
                                 detail="clips vanished from the card; was it in another computer?")
            _log.error("%d clips are gone from the card", self.missing_n - missing_n)
        if ended:
            self._report_links(now)
        return ended

    def _report_links(self, now: Instant) -> None:
        """We make and follow no links, so what lies there is reported once."""
        report = f"{len(self.links)} links lie in the store, such as {min(self.links)!r}" if self.links else ""
        if report != (meta.get(self.db, LINKS) or ""):
            with transaction(self.db):
                meta.put(self.db, LINKS, report)
                if report:
                    announce.storage(self.db, now, "strange_link", over=True, detail=report)
            _log.error("%s", report or "the links are gone from the store")

    def _walk(self) -> Iterator[None]:
        for folder in (self.folders.root, self.folders.root / DATABASE, self.folders.thumbs):
            self.links += _links(folder)
            yield
        for folder in clip_folders(self.folders.clips):
            self.links += _links(folder)
            for part in _strays(self.db, folder, PART):
                self.being_written_n += not _complete(part)
                yield
            for path in _strays(self.db, folder):
                self.adopted_n += _adopt(self.db, path, self.file_key, self._now)
                yield
            yield
        first, next_finished = 0, f"SELECT MIN(seq) FROM clip WHERE {clips.FINISHED} AND seq >= ?"
        while (first := self.db.execute(next_finished, (first,)).fetchone()[0]) is not None:
            folder_n = first // CLIPS_A_FOLDER
            self.missing_n += _lose_missing(self.db, self.folders, folder_n)
            first = (folder_n + 1) * CLIPS_A_FOLDER
            yield
        _drop_dangling(self.db)


def _links(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return list(islice((entry.path for entry in entries if entry.is_symlink()), LINKS_MAX))
    return []


def _strays(db: sqlite3.Connection, folder: Path, ending: str = "") -> list[Path]:
    """Lists our files in a folder that have no row: finished ones, or unfinished ones by their `ending`."""
    found, names = [], os.listdir(folder)
    first = int(folder.name) * CLIPS_A_FOLDER       # rows after files, so that a file that comes meanwhile has its row
    known = {row["name"] for row in db.execute("SELECT name FROM clip WHERE seq BETWEEN ? AND ?",
                                               (first, first + CLIPS_A_FOLDER - 1))}
    for name in sorted(names):
        match = OURS.match(name.removesuffix(ending)) if name.endswith(ending) else None
        if (match and int(match["seq"]) // CLIPS_A_FOLDER == int(folder.name)
                and match[0].removesuffix(".mp4") not in known and is_plain(folder / name)):
            found.append(folder / name)
    return found


def _complete(part: Path) -> bool:
    final = part.with_suffix("")
    try:
        complete(part, final)
    except BlockingIOError:
        return False
    except (Mp4Error, DamagedError, Unwritable, OSError) as error:
        _log.warning("%s: no row and nothing whole in it (%s); left alone", part, error)
    return True


def _adopt(db: sqlite3.Connection, path: Path, file_key: FileKey, now: Instant) -> bool:
    """Adds a row for a file by what its head says, and announces it if it never had a row. Raises OSError."""
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
    except (Mp4Error, DamagedError, LockedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in UNREADABLE:
            raise
        _log.warning("%s: no row and nothing whole in it (%s); left alone", path, error)
        return False
    with transaction(db):
        is_new = numbers.was_reserved(db, seq)
        start = Instant(clips.LOST, 0, plan.wall_s * 1000, "saved" if plan.wall_s else "unset")
        offset_ms = now.wall_ms - now.mono_ms if match["boot"] == now.boot else boots.offset_ms(db, match["boot"])
        if is_new and offset_ms is not None and offset_ms <= start.wall_ms:
            start = replace(start, boot=match["boot"], mono_ms=start.wall_ms - offset_ms)
        clips.adopt(db, seq, path.stem, match["camera"], start, stream=plan.stream, dur_ms=kept.duration_us // 1000,
                    size_b=path.stat().st_size if day_key else kept.size_b, frames=kept.frames_n, day_key=day_key)
        if is_new and (row := clips.get(db, path.stem)):
            announce.clip_done(db, row, now)
    _log.warning("%s: it had no row; adopted", path)
    return True


def _lose_missing(db: sqlite3.Connection, folders: Folders, folder: int) -> int:
    first = folder * CLIPS_A_FOLDER
    rows = db.execute(f"SELECT seq, name FROM clip WHERE {clips.FINISHED} AND seq BETWEEN ? AND ?",
                      (first, first + CLIPS_A_FOLDER - 1)).fetchall()
    missing = [row["seq"] for row in rows if not folders.clip(row["seq"], row["name"]).exists()]
    if missing:
        with transaction(db):
            for seq in missing:
                clips.lose(db, seq, "its file is gone from the card")
    return len(missing)


def _drop_dangling(db: sqlite3.Connection) -> None:
    """Deletes rows that refer to lost clips or events, as after the repair of a database."""
    for table in [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]:
        for to in db.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            db.execute(f"DELETE FROM {table} WHERE {to['from']} NOT IN (SELECT {to['to']} FROM {to['table']})")
