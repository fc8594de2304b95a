"""Room on a full card, for databases that can't even be opened without: the ballast, then the oldest clips.

These are chosen by their files, noted in a page that was laid down while there was room, and deleted; the databases are
told as soon as they take it. Nothing goes while it is not known what is held: a recorder that stands still goes on
once somebody makes room, and a recording that was kept for a court can't be had back.
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

from agent.core.evidence.ledger import Deletion
from agent.core.retention import CameraClips, KeptClip, make_room
from agent.host.clock import Clock, Instant
from agent.host.files import is_plain, open_plain, sync_folder, write_durably
from agent.keeper import ballast
from agent.keeper.deletion import finish_deletion
from agent.store import clips, holds, ledger
from agent.store.database import FILE, transaction
from agent.store.decisions import condemned
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.names import OURS, clip_files

NOTE = "room-note"              # the page, in the keeper's folder
PAGE_B = 4096
AT_ONCE_N = 40                  # clips, whose names fit into the page
FILES_N = 8                     # two databases make two files each
WHY = "space"

_log = logging.getLogger(__name__)


class Gone(msgspec.Struct, frozen=True):
    """Clips that went at once, before the databases could say so: a line of the page."""

    at: Instant
    clips: list[str]


def give(folders: Folders, clock: Clock, patience: Callable[[], None]) -> bool:
    """Make room, and return whether there is more; `patience` is called while files are counted."""
    try:
        if ballast.release(folders):
            _log.warning("gave the ballast's space to the databases")
            return True
        return _give_clips(folders, clock.now(), patience)
    except (OSError, sqlite3.Error) as error:
        _log.error("no clip makes room: %s", error)
        return False


def tell(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, now: Instant) -> None:
    """Have the databases know what went without them; lay the page down where there is none.

    Raises OSError and sqlite3.Error. After a cut the ledger may be told twice of clips that have no row.
    """
    page = _page(folders)
    if not (noted := page.read_bytes().rstrip(b"\0")):
        return
    for line in noted.splitlines():
        with contextlib.suppress(msgspec.MsgspecError):     # a cut has torn it, so nothing of it was deleted yet
            gone = msgspec.json.decode(line, type=Gone)
            if rowless := [name for name in gone.clips if clips.get(db, name) is None]:
                with transaction(db):
                    ledger.note(db, gone.at, Deletion(clips=rowless, why=WHY))
            condemned.condemn(own, db, gone.clips, WHY, gone.at)
    finish_deletion(own, db, folders, now)
    _put(page, bytes(PAGE_B), 0)


def _give_clips(folders: Folders, now: Instant, patience: Callable[[], None]) -> bool:
    """Delete what it takes for as much room as the ballast makes."""
    found = os.statvfs(folders.root)
    needed_b = min(ballast.BALLAST_B, found.f_blocks * found.f_frsize // 20) - found.f_bavail * found.f_frsize
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
    _log.warning("the oldest clips made room for the databases: %s", ", ".join(path.stem for path in doomed))
    return True


def _oldest(folders: Folders, needed_b: int, needed_n: int, patience: Callable[[], None]) -> list[Path]:
    """The clips that go, by the planner's fair share; of each camera the newest stays, for its row may be open yet."""
    if needed_b <= 0 and needed_n <= 0:
        return []
    kept, all_b, newest = _held(folders), Counter[str](), Counter[str]()
    oldest = defaultdict[str, list[tuple[KeptClip, Path]]](list)        # no more than can go: there may be 100,000
    for path in clip_files(folders.clips, 0, None):
        patience()
        match = OURS.match(path.name)
        if match and path == folders.clip(seq := int(match["seq"]), path.stem):
            camera, clip = match["camera"], KeptClip(seq, path.stat().st_size)
            all_b[camera], newest[camera] = all_b[camera] + clip.bytes, max(newest[camera], seq)
            if path.stem not in kept:
                insort(oldest[camera], (clip, path))
                del oldest[camera][AT_ONCE_N + 1:]
    shelves = (CameraClips(camera, all_b[camera], (), [clip for clip, _ in found if clip.seq < newest[camera]])
               for camera, found in oldest.items())
    paths = {clip.seq: path for found in oldest.values() for clip, path in found}
    return [paths[clip.seq] for clip in islice(make_room(shelves, needed_b, needed_n), AT_ONCE_N)]


def _held(folders: Folders) -> set[str]:
    """The clips that the household holds, and those that the agent's own work needs. Raises OSError and sqlite3.Error.

    The latter are in the shared rows; where these can't be read there are none if nothing was released to the ward.
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
    """What a database says without room for the files beside it. Raises OSError and sqlite3.Error."""
    if not is_plain(path):
        raise FileNotFoundError(f"{path} is not there, so nobody knows what is held")
    log = Path(f"{path}-wal")
    # As usual where somebody has it open; else alone, with the log's index in memory; else as it lies there.
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
    """In place, which needs no room, and on the card when this returns. Raises OSError."""
    handle = open_plain(page, os.O_WRONLY | os.O_DSYNC)
    try:
        os.pwrite(handle, data, at_b)
    finally:
        os.close(handle)
