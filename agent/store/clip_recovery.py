"""Recovery at the start: closes, marks and announces what a dead process left open (docs/design/storage.md)."""
import contextlib
import errno
import fcntl
import logging
import os
import sqlite3
from collections.abc import Container, Iterator
from pathlib import Path

from agent.core.evidence.encrypted import UNFLUSHED_B, DamagedError, WholePart, is_encrypted, kept
from agent.core.media.mp4.boxes import Mp4Error
from agent.core.media.mp4.salvage import salvage
from agent.host.card_bytes import is_on_card, moved
from agent.host.clock import Clock
from agent.host.files import open_plain, rename_durably, sync_folder
from agent.store import absences, announce, clips, events
from agent.store.damage import surviving
from agent.store.database import transaction
from agent.store.folders import Folders
from agent.store.names import PART, picture

# Faults of one file, not of the card, which must not keep the camera from recording.
UNREADABLE = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP)

_log = logging.getLogger(__name__)


class Unwritable(Exception):
    """A clip can be read but not completed. Nothing of it is lost, so its row stays open."""


def recover_camera(db: sqlite3.Connection, folders: Folders, camera: str, clock: Clock,
                   going_on: Container[int] = ()) -> bool:
    """Closes everything open of `camera`, except the events `going_on`. Returns whether no clip is left open. While the
    camera's recorder runs, only that recorder may call this. Raises OSError and sqlite3.Error if the card fails; may be
    repeated."""
    left_n = 0
    for clip in clips.in_state(db, "open", camera):
        with surviving(f"{clip.name} stays open"):
            try:
                if not _close_clip(db, folders, clip, clock):
                    return False
            except Unwritable as error:
                left_n += 1
                _log.error("%s can't be completed: %s; the next clip tries again", clip.name, error)
    with surviving("absences"):
        absences.ended(db, camera, absences.CAMERA, clock.now())        # begins again if it still goes on
    for event in events.unfinished(db, camera):
        if event.id not in going_on:
            with surviving(f"event {event.id} stays open"):
                _cut_event(db, folders, event, clock)
    return not left_n


def _close_clip(db: sqlite3.Connection, folders: Folders, clip: clips.Clip, clock: Clock) -> bool:
    part, final = folders.part(clip.seq, clip.name), folders.clip(clip.seq, clip.name)
    try:
        whole = complete(part, final) if os.path.lexists(part) else None
        if whole is None:               # the cut came between the final name and the row
            with _on_card(final) as handle:
                whole = _whole(handle)[0]
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # The cut came between the row and the file's first flush.
        clips.lose(db, clip.seq, "power went before its first second was on the card")
        return True
    except (Mp4Error, DamagedError) as error:
        part.unlink(missing_ok=True)
        sync_folder(part.parent)        # or another cut would bring back a file without a row
        clips.lose(db, clip.seq, f"nothing whole in it: {error}")
        return True
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        _log.error("%s can't be recovered: %s", part, error.strerror)
        clips.lose(db, clip.seq, f"its file can't be read: {error.strerror}")
        return True
    with transaction(db):
        clips.finish(db, clip.seq, "recovered", whole.duration_us // 1000, whole.size_b, frames=whole.frames_n)
        row = clips.get(db, clip.name)
        assert row is not None
        announce.clip_done(db, row, clock.now())
    _log.info("recovered %s: %.1f s", clip.name, whole.duration_us / 1e6)
    return True


def _whole(handle: int) -> tuple[WholePart, bytes]:
    """Returns the whole part of a clip, and its head unless encrypted. Raises Mp4Error, DamagedError, OSError."""
    def read_at(offset: int, size_b: int) -> bytes:
        return os.pread(handle, size_b, offset)

    file_b = os.fstat(handle).st_size
    if is_encrypted(read_at):
        return kept(read_at, file_b), b""
    found = salvage(read_at, file_b - UNFLUSHED_B)
    return WholePart(found.size_b, found.duration_us, found.frames_n), found.head


def complete(part: Path, final: Path) -> WholePart:
    """Cuts a clip after its last whole fragment and renames it. Raises Mp4Error, DamagedError, Unwritable, OSError."""
    with _on_card(part) as handle:
        whole, head = _whole(handle)
        with _writable():
            os.ftruncate(handle, whole.size_b)
            os.pwrite(handle, head, 0)
            os.fsync(handle)
            rename_durably(part, final)
    return whole


@contextlib.contextmanager
def _on_card(path: Path) -> Iterator[int]:
    """Yields a locked descriptor of a clip's file; what it reads is on the card. After a failed write the page cache
    may have more than the card. The data is then moved to other blocks. Raises Unwritable and OSError."""
    handle = open_plain(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _writable():
            os.fsync(handle)
            if not is_on_card(handle):
                _log.warning("the card has lost data that was written to %s: writing it again", path.name)
                handle = moved(handle, path)
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(error.strerror) if error.errno in UNREADABLE else error from error


def _cut_event(db: sqlite3.Connection, folders: Folders, event: events.StoredEvent, clock: Clock) -> None:
    """Ends an open event at the last frame that shows it, and removes a picture that no row names."""
    path = folders.thumb(f"{picture(event.camera, event.boot, event.mono_ms)}.jpg")
    left = [file for file in (path, path.with_name(path.name + PART))
            if event.kind == "motion" and os.path.lexists(file)]
    for file in left:
        file.unlink()
    if left:
        sync_folder(folders.thumbs)
    row = db.execute("SELECT MAX(mono_ms + dur_ms) AS end FROM clip JOIN event_clip ON clip.seq = event_clip.clip "
                     "WHERE event_clip.event = ? AND dur_ms IS NOT NULL", (event.id,)).fetchone()
    dur_ms = max(0, row["end"] - event.mono_ms) if row["end"] is not None else None
    with transaction(db):
        events.cut(db, event.id, dur_ms)
        now = events.get(db, event.id)
        assert now is not None
        announce.event_cut(db, now, clock.now())
