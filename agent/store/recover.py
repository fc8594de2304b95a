"""Start-up is recovery: what a dead process left open is closed, marked and announced.

docs/design/storage.md names the cuts that can have happened; each branch below answers one of them.
"""
import errno
import fcntl
import logging
import os
import sqlite3
from collections.abc import Container
from pathlib import Path

from agent.core.mp4.boxes import Mp4Error
from agent.core.mp4.salvage import Salvaged, salvage
from agent.host.clock import Clock
from agent.host.files import rename_durably
from agent.store import announce, clips, events
from agent.store.database import transaction
from agent.store.folders import Folders

# What is wrong with one file and not with the card: it must not keep the camera from recording.
UNREADABLE = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP)

_log = logging.getLogger(__name__)


def recover_camera(db: sqlite3.Connection, folders: Folders, camera: str, clock: Clock,
                   going_on: Container[int] = ()) -> None:
    """Close everything of `camera` that is open, but for the events `going_on`.

    Only the camera's own recorder may call this while it runs. Raises OSError and sqlite3.Error where the card
    does not play along; calling again later is safe.
    """
    for clip in clips.in_state(db, "open", camera):
        if not _close_clip(db, folders, clip, clock):
            return
    for event in events.unfinished(db, camera):
        if event.id not in going_on:
            _cut_event(db, event, clock)


def _close_clip(db: sqlite3.Connection, folders: Folders, clip: clips.Clip, clock: Clock) -> bool:
    """Whether the clip is closed now; False while a recorder still writes it."""
    part, final = folders.part(clip.seq, clip.name), folders.clip(clip.seq, clip.name)
    try:
        kept = _mend(part, final) if part.exists() else _measure(final)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # Cut between the row and the file's first flush.
        clips.lose(db, clip.seq, "power went before its first second was on the card")
        return True
    except Mp4Error as error:
        part.unlink(missing_ok=True)
        clips.lose(db, clip.seq, f"nothing whole in it: {error}")
        return True
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        _log.error("%s can't be recovered: %s", part, error.strerror)
        clips.lose(db, clip.seq, f"its file can't be read: {error.strerror}")
        return True
    with transaction(db):
        clips.finish(db, clip.seq, "recovered", kept.duration_us // 1000, kept.size_b, kept.frames_n)
        row = clips.get(db, clip.name)
        assert row is not None
        announce.clip_done(db, row, clock.now())
    _log.info("recovered %s: %.1f s", clip.name, kept.duration_us / 1e6)
    return True


def _salvage(handle: int) -> Salvaged:
    return salvage(lambda offset, size: os.pread(handle, size, offset))


def _mend(part: Path, final: Path) -> Salvaged:
    """Cut a torn file off behind its last whole fragment, complete its head, and give it its final name.

    Raises Mp4Error and OSError.
    """
    handle = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kept = _salvage(handle)
        os.ftruncate(handle, kept.size_b)
        os.pwrite(handle, kept.head, 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    rename_durably(part, final)
    return kept


def _measure(final: Path) -> Salvaged:
    """A file that has its final name already: the cut came before its row. Raises Mp4Error, OSError."""
    handle = os.open(final, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _salvage(handle)
    finally:
        os.close(handle)


def _cut_event(db: sqlite3.Connection, event: events.Event, clock: Clock) -> None:
    """An event that a dead process left open ends with the last frame that shows it."""
    row = db.execute("SELECT MAX(mono_ms + dur_ms) AS end FROM clip JOIN event_clip ON clip.seq = event_clip.clip "
                     "WHERE event_clip.event = ? AND dur_ms IS NOT NULL", (event.id,)).fetchone()
    dur_ms = max(0, row["end"] - event.mono_ms) if row["end"] is not None else None
    with transaction(db):
        events.cut(db, event.id, dur_ms)
        now = events.get(db, event.id)
        assert now is not None
        announce.event_cut(db, now, clock.now())
