"""Frees space on a full card if the databases cannot even be opened without it: the ballast, then the oldest clips.

The ballast is bytes that exist only to be deleted first, because a full database cannot delete anything. Clips are
chosen by their files, noted in a page that was written while there was space, and deleted; the databases are updated as
soon as they can be. While the holds are unknown, no clip is deleted: a stopped recorder continues once the household
frees space, but a recording kept for a court cannot be restored.
"""
import contextlib
import logging
import os
import sqlite3
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.core.evidence.ledger.acts import Deletion
from agent.core.retention import CameraClips, KeptClip, make_room
from agent.host.clock import Clock, Instant
from agent.host.files import is_own, is_plain, open_own, open_plain, sync_folder, write_durably
from agent.keeper.deletion import finish_deletion
from agent.store import clips, holds, ledger
from agent.store.database import FILE, transaction
from agent.store.decisions import condemned
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.names import OURS, clip_files
from agent.store.retention_queries import Space

BALLAST_B = 8_000_000
NOTE = "room-note"              # the page, in the keeper's folder
PAGE_B = 4096
AT_ONCE_N = 40                  # clips, whose names fit into the page
FILES_N = 8                     # two databases make two files each
WHY = "space"

_log = logging.getLogger(__name__)


def release_ballast(folders: Folders) -> bool:
    """Deletes the ballast for a database that is too full to delete anything; whether there was one."""
    try:
        folders.ballast.unlink()
    except OSError:             # there is none, or another role has put something else in its place
        return False
    return True


def renew_ballast(folders: Folders, floor_pct: float) -> None:
    """Writes the ballast again if there is space for it. Raises OSError."""
    space = Space.of(folders)
    if is_own(folders.ballast) or space.free_b < space.total_b * floor_pct / 100 / 2 + BALLAST_B:
        return
    with open(open_own(folders.ballast, os.O_WRONLY | os.O_CREAT), "wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, min(BALLAST_B, space.total_b // 20))
        file.write(bytes(4096))     # one real page: the health probes read it to see whether the card answers
        os.fsync(file.fileno())


class Gone(msgspec.Struct, frozen=True):
    """A line of the page: clips that were deleted before the databases could record it."""

    at: Instant
    clips: list[str]


def give(folders: Folders, clock: Clock, patience: Callable[[], None]) -> bool:
    """Frees space; whether it did. `patience` is called while files are counted."""
    try:
        if release_ballast(folders):
            _log.warning("deleted the ballast to give the databases space")
            return True
        return _give_clips(folders, clock.now(), patience)
    except (OSError, sqlite3.Error) as error:
        _log.error("no clip can be deleted for space: %s", error)
        return False


def report(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, now: Instant) -> None:
    """Writes into the databases what was deleted without them; makes the page if it is missing.

    Raises OSError and sqlite3.Error. After a cut, the ledger may get clips without a row twice.
    """
    page = _page(folders)
    if not (noted := page.read_bytes().rstrip(b"\0")):
        return
    for line in noted.splitlines():
        with contextlib.suppress(msgspec.MsgspecError):     # torn by a cut, so none of its clips was deleted yet
            gone = msgspec.json.decode(line, type=Gone)
            if rowless := [name for name in gone.clips if clips.get(db, name) is None]:
                with transaction(db):
                    ledger.note(db, gone.at, Deletion(clips=rowless, why=WHY))
            condemned.condemn(own, db, gone.clips, WHY, gone.at)
    finish_deletion(own, db, folders, now)
    _put(page, bytes(PAGE_B), 0)


def _give_clips(folders: Folders, now: Instant, patience: Callable[[], None]) -> bool:
    found = os.statvfs(folders.root)
    needed_b = min(BALLAST_B, found.f_blocks * found.f_frsize // 20) - found.f_bavail * found.f_frsize
    needed_n = FILES_N - found.f_favail if found.f_files else 0
    page, doomed = _page(folders), _oldest(folders, needed_b, needed_n, patience)
    noted_b = len(page.read_bytes().rstrip(b"\0"))
    line = b"\n" + msgspec.json.encode(Gone(now, [path.stem for path in doomed]))
    if not doomed or noted_b + len(line) > PAGE_B:
        return False
    _put(page, line, noted_b)
    for path in doomed:
        path.unlink()
    for folder in {path.parent for path in doomed}:
        sync_folder(folder)
    _log.warning("deleted the oldest clips to give the databases space: %s", ", ".join(path.stem for path in doomed))
    return True


def _oldest(folders: Folders, needed_b: int, needed_n: int, patience: Callable[[], None]) -> list[Path]:
    """Returns the clips that go, by the planner's fair share. Each camera keeps its newest, whose row may be open."""
    if needed_b <= 0 and needed_n <= 0:
        return []
    kept, all_b, newest = _held(folders), Counter[str](), Counter[str]()
    oldest = defaultdict[str, list[tuple[KeptClip, Path]]](list)        # only those that may go: there may be 100,000
    for path in clip_files(folders.clips, 0, None):
        patience()
        match = OURS.match(path.name)
        if match and path == folders.clip(seq := int(match["seq"]), path.stem):
            camera, clip = match["camera"], KeptClip(seq, path.stat().st_size)
            all_b[camera], newest[camera] = all_b[camera] + clip.bytes, max(newest[camera], seq)
            if path.stem not in kept:
                insort(oldest[camera], (clip, path))
                del oldest[camera][AT_ONCE_N + 1:]
    stocks = (CameraClips(camera, all_b[camera], (), [clip for clip, _ in found if clip.seq < newest[camera]])
               for camera, found in oldest.items())
    paths = {clip.seq: path for found in oldest.values() for clip, path in found}
    return [paths[clip.seq] for clip in islice(make_room(stocks, needed_b, needed_n), AT_ONCE_N)]


def _held(folders: Folders) -> set[str]:
    """Returns the clips that the household holds, and those that the agent's own work needs.

    The latter are in the shared rows. If those cannot be read, there are no such clips unless something was released to
    the ward. Raises OSError and sqlite3.Error.
    """
    own = folders.keys / decisions.FILE
    held = _column(own, f"SELECT clip FROM hold WHERE {holds.STANDS}")
    try:
        return held | _column(folders.root / FILE, "SELECT name FROM clip WHERE seq IN (SELECT clip FROM hold)")
    except (OSError, sqlite3.Error):
        if _column(own, "SELECT request FROM decision WHERE code = 'approved'"):
            raise
        return held


def _column(path: Path, query: str) -> set[str]:
    """Reads a database without space for the files beside it. Raises OSError and sqlite3.Error."""
    if not is_plain(path):
        raise FileNotFoundError(f"{path} is missing, so the holds are unknown")
    log = Path(f"{path}-wal")
    # As usual if a process has it open; else exclusively, with the log's index in memory; else as the file is.
    ways = ["mode=ro", "mode=rw"] + ["immutable=1"] * (not log.exists() or not log.stat().st_size)
    for way in ways:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?{way}", uri=True)) as db:
            try:
                db.execute(f"PRAGMA locking_mode = {'EXCLUSIVE' if way == 'mode=rw' else 'NORMAL'}")
                return {value for value, in db.execute(query)}
            except sqlite3.OperationalError as error:
                trouble = error
    raise trouble


def _page(folders: Folders) -> Path:
    page = folders.keys / NOTE
    if not is_plain(page):
        write_durably(page, bytes(PAGE_B), 0o600)
    return page


def _put(page: Path, data: bytes, at_b: int) -> None:
    """Writes in place, which needs no space; on the card when this returns. Raises OSError."""
    with open(open_plain(page, os.O_WRONLY | os.O_DSYNC), "wb", buffering=0) as file:
        os.pwrite(file.fileno(), data, at_b)
