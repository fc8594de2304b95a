"""Start-up is recovery: what a dead process left open is closed, marked and announced.

docs/design/storage.md names the cuts that can have happened; each branch below answers one of them.
"""
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

# What is wrong with one file and not with the card: it must not keep the camera from recording.
UNREADABLE = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP)

_log = logging.getLogger(__name__)


class Unwritable(Exception):
    """A clip can be read, but not be completed: nothing of it is lost, so its row stays open."""


def recover_camera(db: sqlite3.Connection, folders: Folders, camera: str, clock: Clock,
                   going_on: Container[int] = ()) -> bool:
    """Close everything of `camera` that is open, but for the events `going_on`. Returns whether no clip is left open.

    Only the camera's own recorder may call this while it runs. Raises OSError and sqlite3.Error where the card
    does not play along; calling again later is safe.
    """
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
        absences.ended(db, camera, absences.CAMERA, clock.now())        # told anew, if it still goes on
    for event in events.unfinished(db, camera):
        if event.id not in going_on:
            with surviving(f"event {event.id} stays open"):
                _cut_event(db, folders, event, clock)
    return not left_n


def _close_clip(db: sqlite3.Connection, folders: Folders, clip: clips.Clip, clock: Clock) -> bool:
    """Whether the clip is closed now; False while a recorder still writes it."""
    part, final = folders.part(clip.seq, clip.name), folders.clip(clip.seq, clip.name)
    try:
        whole = complete(part, final) if os.path.lexists(part) else _measure(final)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # Cut between the row and the file's first flush.
        clips.lose(db, clip.seq, "power went before its first second was on the card")
        return True
    except (Mp4Error, DamagedError) as error:
        part.unlink(missing_ok=True)
        sync_folder(part.parent)        # lest another cut gives back a file that no row knows
        clips.lose(db, clip.seq, f"nothing whole in it: {error}")
        return True
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        _log.error("%s can't be recovered: %s", part, error.strerror)
        clips.lose(db, clip.seq, f"its file can't be read: {error.strerror}")
        return True
    with transaction(db):
        clips.finish(db, clip.seq, "recovered", whole.duration_us // 1000, whole.size_b, whole.frames_n)
        row = clips.get(db, clip.name)
        assert row is not None
        announce.clip_done(db, row, clock.now())
    _log.info("recovered %s: %.1f s", clip.name, whole.duration_us / 1e6)
    return True


def _whole(handle: int) -> tuple[WholePart, bytes]:
    """What is whole of a clip, and its completed head; an encrypted one gets its head from whoever can read it.

    Raises Mp4Error, DamagedError and OSError.
    """
    def read_at(offset: int, size_b: int) -> bytes:
        return os.pread(handle, size_b, offset)

    file_b = os.fstat(handle).st_size
    if is_encrypted(read_at):
        return kept(read_at, file_b), b""
    found = salvage(read_at, file_b - UNFLUSHED_B)
    return WholePart(found.size_b, found.duration_us, found.frames_n), found.head


def complete(part: Path, final: Path) -> WholePart:
    """Cut a torn file off behind its last whole fragment, complete its head, and give it its final name.

    Raises Mp4Error, DamagedError, Unwritable and OSError.
    """
    with _on_card(part) as handle:
        whole, head = _whole(handle)
        with _writable():
            os.ftruncate(handle, whole.size_b)
            os.pwrite(handle, head, 0)
            os.fsync(handle)
            rename_durably(part, final)
    return whole


def _measure(final: Path) -> WholePart:
    """A file that has its final name already: the cut came before its row.

    Raises Mp4Error, DamagedError, Unwritable and OSError.
    """
    with _on_card(final) as handle:
        return _whole(handle)[0]


@contextlib.contextmanager
def _on_card(path: Path) -> Iterator[int]:
    """A descriptor of a clip's file, locked: what is read of it is what the card has.

    After a failed write the page cache may have more than the card. What it has is moved to other blocks then.
    Raises Unwritable and OSError.
    """
    handle = open_plain(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _writable():
            os.fsync(handle)
            if not is_on_card(handle):
                _log.warning("the card has not kept all that was written of %s: it is written anew", path.name)
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
    """An event that a dead process left open ends with the last frame that shows it.

    A picture of it that no row had named yet would lie there for ever.
    """
    if event.kind == "motion":
        _remove_picture(folders, event)
    row = db.execute("SELECT MAX(mono_ms + dur_ms) AS end FROM clip JOIN event_clip ON clip.seq = event_clip.clip "
                     "WHERE event_clip.event = ? AND dur_ms IS NOT NULL", (event.id,)).fetchone()
    dur_ms = max(0, row["end"] - event.mono_ms) if row["end"] is not None else None
    with transaction(db):
        events.cut(db, event.id, dur_ms)
        now = events.get(db, event.id)
        assert now is not None
        announce.event_cut(db, now, clock.now())


def _remove_picture(folders: Folders, event: events.StoredEvent) -> None:
    path = folders.thumb(f"{picture(event.camera, event.boot, event.mono_ms)}.jpg")
    left = [each for each in (path, path.with_name(path.name + PART)) if os.path.lexists(each)]
    for each in left:
        each.unlink()
    if left:
        sync_folder(folders.thumbs)
